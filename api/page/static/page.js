// What the page does beyond its forms: clocks that go on, and parts that follow what happens.
import { startClocks } from "./clocks.js";
import { refresh, rememberParts } from "./live.js";
import { followTimeline } from "./timeline.js";

const LOOK_EVERY_MILLISECONDS = 10_000;

rememberParts();
startClocks(refresh);
const lines = document.getElementById("lines");
if (lines) followTimeline(lines, refresh);
if (document.querySelector("[data-live]")) {
  const look = () => { if (!document.hidden) refresh(); };
  setInterval(look, LOOK_EVERY_MILLISECONDS); // stops, for one, are on no timeline
  document.addEventListener("visibilitychange", look);
}
openTarget();
window.addEventListener("hashchange", openTarget);

// A link to a piece of evidence opens it.
function openTarget() {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (target instanceof HTMLDetailsElement) {
    target.open = true;
    target.scrollIntoView();
  }
}
