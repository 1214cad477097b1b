// Runs before the first paint, so that nothing flashes in the other theme. What was chosen is no secret, and stays.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem('tunneld.theme');
  } catch {
    // Storage may be forbidden; then the system's theme it is.
  }
  if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen;
})();
