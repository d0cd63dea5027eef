"""The words by which a model may describe what evidence shows: no word of advice, outcome, praise or people.

It is a closed list on purpose. Whoever adds a word asks what a hostile sentence could be made of with it.
"""


def words_of(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


# What a name may stand next to: `container web`, `the default namespace`.
NOUNS_OF_NAMES = words_of("""
account alert annotation argument arguments claim class command configmap configmaps container
containers cronjob daemonset deployment event events field file flag host image images ingress job key
keys label labels namespace node nodes path pod pods port ports probe process reason registry release
replicaset repository revision rule secret secrets service services statefulset tag user variable
variables volume volumes
""")
_NOUNS = """
address addresses answer answers attempt attempts back-off backoff byte bytes cause code codes condition
conditions configuration connection connections controller cpu cpus crash crashes dash data day days
digest disk dot entry entries exit endpoint endpoints error errors evidence exit failure failures fault
format generation health history hour hours http https json kernel kind kubelet limit limits line lines
list log logs manifest manifests memory message messages millisecond milliseconds minute minutes name
names number object objects output page pages permission permissions pull pulls query quota reference
references replica replicas request requests resource resources response restart restarts result results
rollout rollouts scheduler second seconds selector selectors server servers signal size space spec
specification spelling start starts state states status syntax taint taints template timeout timeouts
time times token type typo usage value values version versions warning warnings word words yaml
character characters colon scheme status-code threshold
"""
_VERBS = """
is are was were has had does did isn't aren't wasn't weren't doesn't didn't hasn't can't cannot couldn't
answers answered asks asked belongs belonged carries carried comes came contains contained crashed
created denied deleted differs differed ends ended evicted exceeds exceeded exists existed exited exits
expects fails failed failing fired found gives gave gets got holds held lacks lacked lists listed
listens listened logs logged matches matched mentions mentioned mounts mounted named names points
pointed pulled pulling quotes quoted ran reads refers referred refuses refused rejected reports reported
requested requests resolves responded responds restarted returned returns said says scheduled sends sent
serves set shows showed started starts stayed stopped stops terminated times timed tries tried unbound
used uses wanted wants waits waited waiting writes wrote rolled changed changes replaced removed added
dropped misspelled misspelt cut truncated
"""
_ADJECTIVES = """
absent abnormal back bad behind below above current different duplicate earlier empty exact existing
first former forbidden incomplete incorrect inner invalid last later latest long longer malformed many
missing mismatched more most new newer next non-existent nonexistent old older only other outer own
pending previous refused same second shorter short single such third too unauthorized unavailable
unbound unhealthy uninitialized unknown unreachable unready unschedulable whole wrong zero high higher
low lower large larger small smaller
"""
_PARTICLES = """
a an the this that these those it its itself they their there which whose what where when while because
since although but and or nor not no also as at by for from in inside into of on onto out per than
through to under until with within without after before between during against so then still yet once
each every both either some one if how why therefore thus hence only
"""
WORDS = NOUNS_OF_NAMES | words_of(f"{_NOUNS} {_VERBS} {_ADJECTIVES} {_PARTICLES}")
# Only behind "can't", "not" and the like: alone they would be orders.
BASE_VERBS = words_of("""
answer be begin belong bind connect contain exist find fit get have hold keep list listen load match
mount name open parse place pull reach read refer resolve respond run schedule serve show start tolerate
use write
""")
NEGATIONS = words_of("can't cannot couldn't doesn't don't didn't not does did")
# Only behind these: that something is ready is the verification's to say.
STATES = frozenset(("ready", "available"))
DENIALS = frozenset(("no", "not", "isn't", "aren't", "wasn't", "weren't"))
# Nouns that are orders where a clause begins with them: `restart the pod`.
ORDERS = words_of("""
address answer cause change claim crash cut dash end exit field format host label limit list log name
number object page port probe process pull query read reference release request restart result set signal
size space start state tag time type
""")
# A sentence begins with one of these, with a name or with what a name stands next to: never with a verb.
STARTERS = words_of("""
a after although an as at because before between both during each every for from in it its no on once
one since that the there these they this those under when while with without
""")
KNOWN_NAMES = words_of("""
API CPU ConfigMap ConfigMaps CronJob DNS DaemonSet Deployment E Endpoints Event Events GET HEAD HTTP
HTTPS I IP Ingress JSON Job Kubernetes Namespace Node Nodes OOM POST PersistentVolumeClaim Pod Pods
Ready ReplicaSet Secret Secrets Service Services StatefulSet TCP TLS URL YAML
""")
CHINESE = words_of("""
镜像 容器 处于 状态 旧版本 旧 新版本 新 版本 使用 使用了 使用的 无法 拉取 不能 启动
日志 显示 事件 探针 端口 监听 返回 错误 失败 存活 就绪 未就绪 没有就绪 没有就绪的 地址
标签 名称 拼写 有误 不存在 不可用 不匹配 不一致 不同 找不到 缺少 缺失 配置 变量
环境变量 密钥 键 值 字段 内存 限制 超出 超过 被终止 终止 退出 退出码 重启 次数 节点
调度 无法调度 污点 命名空间 副本 副本集 工作负载 服务 选择器 指向 请求 响应 超时 拒绝
连接 连接被拒绝 原因 由于 因为 因此 所以 导致 触发 告警 规则 该 此 其 它 这个 那个
每个 一个 的 在 为 是 有 了 中 与 和 或 从 被 以 及 到 对 向 于 由 而 但 也
仍 后 前 时 上 下 内 里 末尾 开头 多 少 多了 少了 个 次 秒 分钟 小时 字节 行
引用 引用的 名为 叫做 位于 属于 包含 包括 记录 说明 表明 因 之前 之后 期间 目前 当时
最近 第 上一个 仓库 标识 格式 无效 非法 权限 用户 账户 卷 挂载 文件 路径 目录 主机
域名 解析 命令 参数 进程 崩溃 循环 等待 中的 短横线 冒号 字符 发布 更新 修订 改为
改成 变为 写成 设为 创建 删除 时间 时刻 开始 停止 读取 写入 回答 查询 结果 输出 消息
信息 类型 模板 规格 健康检查 检查失败
""")
# As in English: a clause that begins with one of these is an order.
CHINESE_ORDERS = words_of("""
删除 重启 更新 创建 使用 停止 开始 改为 改成 变为 写成 设为 发布 读取 写入 拒绝 连接
终止 退出 修订 查询 回答 记录 挂载 请求 响应 包含 引用 拉取 启动 监听 返回 对 向 由
被
""")
