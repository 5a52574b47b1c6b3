// The run at the top of every tab.
const button = find('.pill');
let live = null;
const show = (text, state, mark) => {
  button.hidden = !text;
  button.dataset.state = state || '';
  say(button.lastChild, mark ? mark + ' ' + text : text);
  button.title = 'Open this run';
};
const start = keepAsking(() => live, asked => server.poll({run: asked.run, visitor: asked.visitor}), answer => {
  if (answer === null) { show('', ''); return false; }
  show(answer.text, answer.state, answer.mark);
  return !answer.final;
}, () => show('Connection lost, trying again…', 'lost'), 1500);
button.addEventListener('click', () => trigger('open', {run: live && live.run}));
let last;
const sync = () => {
  const value = props.value || {}, text = JSON.stringify(value);
  if (text === last) return;
  last = text;
  if ((value.run || null) !== (live && live.run)) show('', '');
  live = value.run ? {run: value.run, visitor: value.visitor} : null;
  if (live) start();
};
watch('value', sync);
sync();
