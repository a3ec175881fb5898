// Uses the page of examples/everywhere as a person would. The query is the URL of the room.
const frame = document.querySelector('iframe');
frame.src = `index.html${location.search}`;

const report = (text) => fetch('/report', { method: 'POST', body: text });
const element = (selector) => frame.contentDocument?.querySelector(selector);

// Waits until `find` returns a value that is true.
async function until(find) {
  while (!find()) await new Promise((resolve) => setTimeout(resolve, 10));
}

function submit(form, values) {
  for (const [id, value] of Object.entries(values)) element(`#${id}`).value = value;
  element(`#${form} button`).click();
}

const shows = (selector, text) => element(`#log li:last-child${selector}`)?.textContent === text;

try {
  await until(() => element('body')?.dataset.ready);
  submit('join', { name: 'Ada' });
  await until(() => shows('.note', 'connected'));
  await report('ok joins');
  submit('say', { text: 'hello from <b>the page</b>' });
  await until(() => shows('.theirs', 'Bobhello from the terminal'));
  await report('ok reads what the terminal says');
  element('#leave').click();
  await until(() => shows('.note', 'you left'));
  await report('ok leaves');
  await report('done');
} catch (error) {
  await report(String(error));
}
