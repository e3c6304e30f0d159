// Small helpers for building the page. Text goes in as text only, never as markup.

// An element; `attributes` are set as they are, children are elements or texts, null ones are left out.
export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children.filter((child) => child !== null));
  return node;
}

export const paragraph = (...children) => element('p', {}, ...children);
export const command = (text) => element('code', {}, text);

// `look` is `primary`, `quiet` or `small`.
export function button(look, text, onClick) {
  const node = element('button', { type: 'button', class: look }, text);
  // Not the attribute disabled: that would take the focus away.
  node.addEventListener('click', () => {
    if (node.getAttribute('aria-disabled') !== 'true') onClick();
  });
  return node;
}

// Fills the card and moves the focus to its heading, so that a screen reader goes on there.
export function show(heading, ...children) {
  const title = element('h1', { id: 'heading', tabindex: '-1' }, heading);
  document.getElementById('card').replaceChildren(title, ...children.filter((child) => child !== null));
  document.title = `${heading} · Leger`;
  announce('');
  title.focus();
}

// Says that something is going on. Seen only where it takes a moment, so that a quick answer does not flicker.
export function showWaiting(text) {
  const spinner = element('span', { class: 'spinner', 'aria-hidden': 'true' });
  const title = element('h1', { id: 'heading', class: 'waiting-text', tabindex: '-1' }, text);
  document.getElementById('card').replaceChildren(element('div', { class: 'waiting' }, spinner, title));
  document.title = 'Leger';
  announce(text);
}

// Read out by a screen reader, not seen.
export function announce(text) {
  document.getElementById('announcer').textContent = text;
}

// A text with a button that copies it.
export function copyable(text, name, look) {
  const value = element('span', { class: look }, text);
  const say = (word) => {
    copy.textContent = word;
    copy.setAttribute('aria-label', `${word}: ${name}`);
  };
  const copy = button('small', '', async () => {
    const done = await copyText(text, value);
    say(done ? 'Copied' : 'Press Ctrl+C');
    announce(done ? `${name} is copied.` : `${name} is selected. Press Ctrl+C to copy it.`);
    setTimeout(() => say('Copy'), 2000);
  });
  say('Copy');
  return element('span', { class: 'copyable' }, value, copy);
}

// The clipboard is there for https and localhost only; over plain http on a tailnet the older way works. Where neither
// does, the text stays selected.
async function copyText(text, node) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(node);
    const copied = document.execCommand('copy');
    if (copied) getSelection().removeAllRanges();
    return copied;
  }
}

const MOMENT = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' });

// An RFC 3339 time in words, in the reader's time zone.
export function moment(text) {
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? 'an unknown time' : MOMENT.format(time);
}
