// A place in the card where a problem is shown and read out.
import { element } from './dom.js';

export function notice() {
  const node = element('div', { class: 'notice', role: 'alert' });
  node.hidden = true;
  return node;
}

export function clear(node) {
  node.hidden = true;
  node.replaceChildren();
}

// What went wrong, and what to do about it.
export function tell(node, problem) {
  node.hidden = false;
  node.replaceChildren(element('p', { class: 'problem' }, problem.message), problem.action ? element('p', {}, problem.action) : '');
  node.scrollIntoView({ block: 'nearest' });
}

// Does `work`: while it runs, `button` says `busyText` and cannot be pressed. A problem that it returns is told in
// `place`; where legerd asks for patience, the button counts the seconds.
export async function press(button, busyText, place, work) {
  const text = button.textContent;
  const label = button.getAttribute('aria-label');
  button.setAttribute('aria-disabled', 'true');
  button.removeAttribute('aria-label');
  button.textContent = busyText;
  clear(place);
  const problem = await work();
  if (!button.isConnected) return;
  if (problem) tell(place, problem);
  if (problem?.retryAfter) await holdOff(button, problem.retryAfter);
  button.textContent = text;
  if (label) button.setAttribute('aria-label', label);
  button.removeAttribute('aria-disabled');
}

// Keeps `button` from being pressed for so many seconds, and says how many are left.
export async function holdOff(button, seconds) {
  const text = button.textContent;
  button.setAttribute('aria-disabled', 'true');
  await countDown(seconds, (left) => { button.textContent = `Try again in ${left} s`; }, button);
  button.textContent = text;
  button.removeAttribute('aria-disabled');
}

// Calls `say` each second with the seconds that are left, until none is or `node` has left the page.
export async function countDown(seconds, say, node) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const left = Math.ceil((end - Date.now()) / 1000);
    if (left <= 0 || !node.isConnected) return;
    say(left);
    await new Promise((resolve) => { setTimeout(resolve, 250); });
  }
}
