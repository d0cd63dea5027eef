// Updates ages and remaining times without a reload.
const MINUTE = 60, HOUR = 3600, DAY = 86400;

export function startClocks(whenOver) {
  const over = new Set();
  setInterval(() => {
    for (const clock of document.querySelectorAll("time[data-since]")) {
      clock.textContent = `${span((Date.now() - Date.parse(clock.dateTime)) / 1000)} ago`;
    }
    for (const clock of document.querySelectorAll("time[data-until]")) {
      const seconds = (Date.parse(clock.dateTime) - Date.now()) / 1000;
      clock.textContent = seconds > 0 ? `${span(seconds)} left` : "expired";
      clock.classList.toggle("soon", seconds < 10 * MINUTE);
      if (seconds <= 0 && !over.has(clock.dateTime)) {
        over.add(clock.dateTime);
        whenOver();
      }
    }
  }, 1000);
}

function span(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < MINUTE) return `${whole} s`;
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min`;
  if (whole < DAY) return `${Math.floor(whole / HOUR)} h ${Math.floor((whole % HOUR) / MINUTE)} min`;
  return `${Math.floor(whole / DAY)} d ${Math.floor((whole % DAY) / HOUR)} h`;
}
