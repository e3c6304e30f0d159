// Drives one Chromium for tests: `node drive.mjs FOLDER PROFILE [FLAG...]`. FOLDER holds node_modules, PROFILE is a new
// folder of the browser's, the FLAGs are Chromium's. Each line of input is a command as JSON, `{"do": NAME, …}`; its answer
// is one line, `{"value": …}` or `{"error": TEXT}`. The browser ends with the input.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const [folder, profile, ...flags] = process.argv.slice(2);
const { chromium } = createRequire(`${folder}/package.json`)('playwright-core');
const patience = 15000; // ms, for each command

const context = await chromium.launchPersistentContext(profile, {
  executablePath: '/usr/bin/chromium',
  headless: true,
  chromiumSandbox: false,
  args: flags,
});
context.setDefaultTimeout(patience);

// What the pages complained of since the last `heard`.
let complaints = [];

function listenTo(opened) {
  opened.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(`${message.type()}: ${message.text()}`);
  });
  opened.on('pageerror', (error) => complaints.push(`exception: ${error.message}`));
}
// Commands are for the first page; others, which it may open, are only listened to.
context.on('page', listenTo);
const page = context.pages()[0] ?? (await context.newPage());
listenTo(page);

const commands = {
  // Goes to an address; the status of the document that answered, after redirects.
  open: async ({ url }) => (await page.goto(url))?.status() ?? 0,
  address: async () => page.url(),
  text: async () => page.locator('body').innerText(),
  // Waits until the page shows a text, somewhere.
  see: async ({ text }) => page.getByText(text).first().waitFor(),
  click: async ({ role, name }) => page.getByRole(role, { name }).click(),
  // The value of a JavaScript expression in the page; a promise is waited for.
  run: async ({ script }) => page.evaluate(script),
  // The texts of the frames in the page, as Chromium shows them.
  frames: async () => Promise.all(page.frames().slice(1).map((frame) => frame.evaluate('document.body?.innerText ?? ""').catch(String))),
  shot: async ({ path }) => void (await page.screenshot({ path, fullPage: true })),
  heard: async () => complaints.splice(0),
};

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const command = JSON.parse(line);
    answer = { value: (await commands[command.do](command)) ?? null };
  } catch (error) {
    answer = { error: String(error.message ?? error) };
  }
  process.stdout.write(JSON.stringify(answer) + '\n');
}
await context.close();
