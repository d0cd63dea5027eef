// The timeline, line by line as it is committed. A hidden tab lets go of its connection.
const REFRESH_AFTER_MILLISECONDS = 300;

export function followTimeline(lines, refresh) {
  let source = null;
  let pending = 0;

  function soon() {
    clearTimeout(pending);
    pending = setTimeout(refresh, REFRESH_AFTER_MILLISECONDS);
  }

  function open() {
    if (source || document.hidden || !("active" in lines.dataset)) return;
    source = new EventSource(`${lines.dataset.lines}?after=${lines.dataset.after}`);
    source.addEventListener("line", (event) => {
      append(lines, JSON.parse(event.data));
      soon();
    });
    source.addEventListener("error", () => {
      if (source?.readyState === EventSource.CLOSED) { // ended, or signed out: the page shows which
        close();
        soon();
      }
    });
  }

  function close() {
    source?.close();
    source = null;
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close();
    else open();
  });
  window.addEventListener("pagehide", close);
  lines.parentElement.scrollTop = lines.parentElement.scrollHeight;
  open();
}

function append(lines, line) {
  if (line.seq <= Number(lines.dataset.after)) return;
  lines.dataset.after = line.seq;
  const item = document.createElement("li");
  item.className = line.tone;
  const time = document.createElement("time");
  time.dateTime = line.at;
  time.textContent = line.clock;
  const said = document.createElement("div");
  said.append(words("kind", line.kind), " ", words("text", line.text));
  item.append(time, said);
  const log = lines.parentElement;
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  lines.append(item);
  if (atEnd) log.scrollTop = log.scrollHeight;
}

function words(name, text) {
  const part = document.createElement("span");
  part.className = name;
  part.textContent = text;
  return part;
}
