"""Secrets as they are met, for tests that look for them wherever something is shown, stored or sent.

Each `secret` is a text of its own, so that a test can tell which one has leaked. None opens anything.
"""

from typing import NamedTuple

_AWS = "wJalrXUtnFEMI/K7MDENG/bPx"


class Named(NamedTuple):
    """A secret that its name gives away. As a text it is `NAME=value`."""

    name: str
    secret: str


class Shown(NamedTuple):
    """A text that holds a secret, whatever it is the value of."""

    text: str
    secret: str


NAMED = (
    Named("DB_PASS", "vultur-one-01"),
    Named("DB_PASSWORD", "vulturtwo"),
    Named("MYSQL_PWD", "vulturthree"),
    Named("PGPASSWORD", "vulturfour"),
    Named("ENCRYPTION_KEY", "vulturfive05"),
    Named("AWS_ACCESS_KEY_ID", "vultursix06"),
    Named("AWS_SECRET_ACCESS_KEY", f"{_AWS}vulturseven"),
    Named("SLACK_WEBHOOK_URL", "https://chat.example/hook/vultureight"),
    Named("apiKey", "vulturnine09"),
    Named("api-key", "vulturten10"),
    Named("clientSecret", "vultureleven"),
    Named("CLIENT_SECRET_V2", "vulturtwelve"),
    Named("github_token", "vulturthirteen"),
    Named("AUTH_TOKEN", "vulturfourteen"),
    Named("refreshToken", "vulturfifteen"),
    Named("JWT_SIGNING_KEY", "vultursixteen"),
    Named("SESSION_SECRET", "vulturseventeen"),
    Named("ROOT_PASSWD", "vultureighteen"),
    Named("adminPassword", "vulturnineteen"),
    Named("redis-pass", "vulturtwenty"),
    Named("bindpw", "vulturtwentyone"),
    Named("ACCOUNT_KEY", "vultur22twentytwo"),
    Named("SharedAccessKey", "vultur23twentythree"),
    Named("SENTRY_DSN", "vultur24twentyfour"),
    Named("vault.example.com/token", "vultur25twentyfive"),
    Named("credentials", "vultur26twentysix"),
    Named("DJANGO_SECRET_KEY", "vultur27!twenty-seven"),
    Named("private_key", "vultur28twentyeight"),
    Named("cookie", "vultur29twentynine"),
    Named("passphrase", "vultur30thirty"),
)
SHOWN = (
    Shown('connecting with password="gannetone" to db', "gannetone"),
    Shown("2026-11-24T02:51:17Z WARN retry, password: gannettwo02", "gannettwo02"),
    Shown("options {'user': 'shop', 'password': 'gannetthree'}", "gannetthree"),
    Shown(r'body "{\"user\":\"shop\",\"password\":\"gannetfour\"}"', "gannetfour"),
    Shown("using AKIAGANNETFIVE05EXAM for the bucket", "AKIAGANNETFIVE05EXAM"),
    Shown("clone https://ghp_gannetsix06ABCDEFGHIJKLMNOPQRSTUVWX0@github.com/shop/web", "gannetsix06"),
    Shown("push with github_pat_11gannetseven07_ABCDEFGHIJKLMNOPQRSTUVWXYZ", "gannetseven07"),
    Shown("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJnYW5uZXQifQ.gannet8eight back", "gannet8eight"),
    Shown("GET /v1/pods Authorization: gannetnine09", "gannetnine09"),
    Shown("GET /v1/pods Authorization: Bearer gannetten10gannet", "gannetten10"),
    Shown("Authorization: Basic Z2FubmV0OmVsZXZlbjExMTE=", "Z2FubmV0OmVsZXZlbjExMTE"),
    Shown("https://hooks.slack.com/services/T0GANNET/B0TWELVE/abcdefghij12gannet", "abcdefghij12gannet"),
    Shown("Server=db;Database=shop;User Id=sa;Pwd=gannet13;Encrypt=true", "gannet13"),
    Shown("AccountName=shop;AccountKey=gannet14gannet14==;EndpointSuffix=core.windows.net", "gannet14"),
    Shown("> Cookie: sid=gannet15; theme=dark", "gannet15"),
    Shown("< Set-Cookie: session=gannet16; Path=/; HttpOnly", "gannet16"),
    Shown("charge failed for sk_live_gannet17ABCDEFGHIJK", "gannet17"),
    Shown("asked with sk-proj-gannet18ABCDEFGHIJKLMNOPQRSTUV", "gannet18"),
    Shown("maps key AIzaGannet19ABCDEFGHIJKLMNOPQRSTUVWXYZ01", "AIzaGannet19"),
    Shown("glpat-gannet20ABCDEFGHIJ was refused", "gannet20"),
    Shown("bot xoxb-210000000-210000000-gannet21ABCDEF", "gannet21"),
    Shown("//registry.npmjs.org/:_authToken=npm_gannet22ABCDEFGHIJKLMNOPQRSTUVWXYZ01", "gannet22"),
    Shown("docker login with dckr_pat_gannet23ABCDEFGHIJKL", "gannet23"),
    Shown("model from hf_gannet24ABCDEFGHIJKLMNOPQRST", "gannet24"),
    Shown("-----BEGIN RSA PRIVATE KEY-----\nMIIEgannet25\n-----END RSA PRIVATE KEY-----", "MIIEgannet25"),
    Shown(r'"-----BEGIN PRIVATE KEY-----\nMIIEgannet26\n-----END PRIVATE KEY-----\n"', "MIIEgannet26"),
    Shown("postgres://shop:gannet27@db:5432/shop", "gannet27"),
    Shown("amqp://shop:gan/net@28@mq:5672/", "net@28"),
    Shown("redis://:gannet29@cache:6379/0", "gannet29"),
    Shown("shop:gannet30@tcp(db:3306)/shop?parseTime=true", "gannet30"),
    Shown("jdbc:postgresql://db/shop?user=shop&password=gannet31&ssl=true", "gannet31"),
    Shown("jdbc:oracle:thin:shop/gannet32@//db:1521/orcl", "gannet32"),
    Shown("https://x.blob.core.windows.net/a?sv=2024&sig=gannet33%2BABCdef123", "gannet33"),
    Shown("https://s3.example/x?X-Amz-Signature=gannet34ab12cd34ef56", "gannet34"),
    Shown("GET /callback?access_token=gannet35&state=x", "gannet35"),
    Shown("starting with --db-password=gannet36 --port=80", "gannet36"),
    Shown("starting with --db-password gannet37 --port 80", "gannet37"),
    Shown("mysql -h db -u root -pgannet38 shop", "gannet38"),
    Shown("curl -u shop:gannet39 https://api.example/v1", "gannet39"),
    Shown("curl -H 'X-Api-Key: gannet40' https://api.example/v1", "gannet40"),
    Shown("redis-cli -h cache -a gannet41 ping", "gannet41"),
    Shown("sshpass -p gannet42 ssh root@host", "gannet42"),
    Shown("export PGPASSWORD=gannet43; psql", "gannet43"),
    Shown("db.password = gannet44\ndb.port = 5432", "gannet44"),
    Shown("[client]\nuser = root\npassword = 'gannet45'", "gannet45"),
    Shown("users:\n  shop:\n    password: gannet46 with blanks\n    role: admin", "gannet46"),
    Shown("passwords:\n  - gannet47\n  - gannet47b\nport: 80", "gannet47"),
    Shown("secret: |\n  gannet48 first\n  gannet48 second\nport: 80", "gannet48"),
    Shown('{"auths":{"registry.example":{"auth":"Z2FubmV0OjQ5NDk0OTQ5"}}}', "Z2FubmV0OjQ5"),
    Shown('{"type":"service_account","private_key_id":"gannet50gannet50"}', "gannet50"),
    Shown("env:\n- name: DB_PASSWORD\n  value: gannet51\n- name: PORT\n  value: '80'", "gannet51"),
    Shown('{"env":[{"name":"DB_PASSWORD","value":"gannet52"}]}', "gannet52"),
    Shown("EnvVar{Name:DB_PASSWORD,Value:gannet53,ValueFrom:nil,}", "gannet53"),
    Shown("config {Host:db Password:gannet54 Port:5432}", "gannet54"),
    Shown("map[Accept:[*/*] Authorization:[Bearer gannet55gannet55]]", "gannet55"),
    Shown("<connection><user>shop</user><password>gannet56</password></connection>", "gannet56"),
    Shown('<add key="DbPassword" value="gannet57"/>', "gannet57"),
    Shown("CREATE USER shop IDENTIFIED BY 'gannet58'", "gannet58"),
    Shown("ALTER ROLE shop WITH PASSWORD 'gannet59'", "gannet59"),
    Shown("the password is gannet60 for now", "gannet60"),
    Shown("payload cGFzc3dvcmQ6IGdhbm5ldDYxZ2FubmV0 sent", "cGFzc3dvcmQ6IGdhbm5ldDYx"),
    Shown("unnamed kQ7vX2mZ9pLr4TtB6yWn8sDh1GfJc3Vx here", "kQ7vX2mZ9pLr4TtB6yWn8sDh1GfJc3Vx"),
    Shown("unnamed 7gk2mzq9xw4tb6yn8sh1vfj3cpr5dl0u here", "7gk2mzq9xw4tb6yn8sh1vfj3cpr5dl0u"),
    Shown("machine api.example login shop password gannet64", "gannet64"),
    Shown("form user%3Dshop%26password%3Dgannet65%26ok", "gannet65"),
    Shown("hvs.gannet66ABCDEFGHIJKLMNOPQRSTUVW", "gannet66"),
    Shown("SG.gannet67ABCDEFGHIJKL.ABCDEFGHIJKLMNOPQRSTUVWX0123456789", "gannet67"),
    Shown("$argon2id$v=19$m=65536,t=3,p=4$gannet68gannet68$abcdefghijklmnop", "gannet68"),
    Shown("AGE-SECRET-KEY-1GANNET69ABCDEFGHJKLMNPQRSTUVWXYZ", "GANNET69"),
    Shown("数据库密码\uff1agannet70", "gannet70"),
    Shown("http://hooks.example/?token=gannet71", "gannet71"),
    Shown("x-amz-security-token: gannet72gannet72", "gannet72"),
    Shown('level=info msg="signed in" token=gannet73 user=shop', "gannet73"),
    Shown('Data Source=db;User ID=sa;Password="gannet74";', "gannet74"),
    Shown('val: {:user=>"shop", :password=>"gannet75"}', "gannet75"),
    Shown("ENV DB_PASSWORD gannet76", "gannet76"),
    Shown("MIIEgannet78\nAbCdEfGhgannet78\n-----END RSA PRIVATE KEY-----\nready", "gannet78"),
    Shown("run ['serve', '--password', 'gannet77', '-v']", "gannet77"),
)  # fmt: skip
SECRETS = tuple(one.secret for one in (*NAMED, *SHOWN))


def leaked(text: str) -> list[str]:
    """Return the secrets that a text shows."""
    return [secret for secret in SECRETS if secret in text]
