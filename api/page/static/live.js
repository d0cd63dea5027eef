// Parts of the page that follow the service. The server renders them; this fetches the page again and swaps the
// parts whose version differs. Text that somebody is typing stays, and no button moves while it is pressed.

const versions = new Map();
let running = false;
let again = false;

export function rememberParts() {
  for (const part of document.querySelectorAll("[data-live]")) {
    versions.set(part.dataset.live, part.dataset.version);
  }
}

export async function refresh() {
  again = running;
  if (running) return;
  running = true;
  try {
    const fresh = await fetchPage();
    if (fresh) swapParts(fresh);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // the network is down: the next refresh may succeed
  } finally {
    running = false;
    if (again) setTimeout(refresh, 300);
  }
}

async function fetchPage() {
  const source = document.querySelector("main").dataset.source;
  const answer = await fetch(source, { headers: { Accept: "text/html" } });
  if (answer.redirected) { // the session has ended
    location.assign(answer.url);
    return null;
  }
  return answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
}

function swapParts(fresh) {
  document.title = fresh.title;
  for (const part of document.querySelectorAll("[data-live]")) {
    const name = part.dataset.live;
    const next = fresh.querySelector(`[data-live="${name}"]`);
    if (!next || next.dataset.version === versions.get(name)) continue;
    if (mustStay(part, next)) {
      document.getElementById("changed").hidden = false;
      announce("This page is out of date.");
      continue;
    }
    swap(part, next);
    versions.set(name, next.dataset.version);
  }
}

function swap(part, next) {
  const hadFocus = part.contains(document.activeElement);
  const open = [...part.querySelectorAll("details[id][open]")].map((one) => one.id);
  part.replaceWith(document.adoptNode(next));
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (hadFocus) next.focus();
  if (next.dataset.announce) announce(next.dataset.announce);
}

// Another proposal replaces the one that is being decided, or a form that somebody is filling in.
function mustStay(part, next) {
  const replaced = part.dataset.subject && next.dataset.subject && part.dataset.subject !== next.dataset.subject;
  const fields = [...part.querySelectorAll("textarea, input:not([type=hidden])")];
  return replaced || fields.some((one) => one === document.activeElement || one.value !== one.defaultValue);
}

function announce(text) {
  const announcer = document.getElementById("announcer");
  if (announcer) announcer.textContent = text;
}
