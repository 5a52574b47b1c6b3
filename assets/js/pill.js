// The run at the top of every tab.
const button = find('.pill');
let live = null;
const show = (text, state) => {
  button.hidden = !text;
  button.dataset.state = state || '';
  say(button.lastChild, text);
  button.title = 'Open this run';
};
const start = keepAsking(() => live, asked => server.poll({run: asked}), answer => {
  if (answer === null) { show('', ''); return false; }
  show(answer.text, answer.state);
  return !answer.final;
}, () => show('Connection lost, trying again…', 'lost'), 1500);
button.addEventListener('click', () => trigger('open', {run: live}));
const sync = () => {
  const run = (props.value || {}).run || null;
  if (run !== live) show('', '');
  live = run;
  if (live) start();
};
watch('value', sync);
sync();
