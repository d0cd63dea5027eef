// The page's scripts: running clocks, and parts that update live.
import { startClocks } from "./clocks.js";
import { refresh, rememberParts } from "./live.js";
import { followTimeline } from "./timeline.js";

const REFRESH_EVERY_MILLISECONDS = 10_000;

rememberParts();
startClocks(refresh);
const lines = document.getElementById("lines");
if (lines) followTimeline(lines, refresh);
if (document.querySelector("[data-live]")) {
  const refreshIfVisible = () => { if (!document.hidden) refresh(); };
  setInterval(refreshIfVisible, REFRESH_EVERY_MILLISECONDS); // stops, for one, are on no timeline
  document.addEventListener("visibilitychange", refreshIfVisible);
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
