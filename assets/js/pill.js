// The run at the top of every tab. It is the one part that is always seen: it tells the page what
// becomes of the run, whichever tab is looked at.
// A run at rest may still be renamed, deleted or gone on with from another tab or device.
const RESTING_MS = 6000;
const button = find('.pill');
let live = null;
let known = null; // known: {run, state} as it was last told
const show = (text, state, mark) => {
  button.hidden = !text;
  button.dataset.state = state || '';
  say(button.lastChild, mark ? mark + ' ' + text : text);
  button.title = 'Open this run';
};
const learn = (run, state, isFinal) => {
  const before = known;
  known = {run, state};
  if (before && before.run === run && before.state !== state)
    trigger(isFinal ? 'finished' : 'changed', known);
};
const start = keepAsking(
  () => live,
  asked => server.poll({run: asked.run, visitor: asked.visitor}),
  (answer, asked) => {
    if (answer === null) {
      show('', '');
      learn(asked.run, 'gone', true);
      return false;
    }
    show(answer.text, answer.state, answer.mark);
    learn(asked.run, answer.state, answer.final);
    return answer.final ? RESTING_MS : true;
  },
  () => show('Connection lost, trying again…', 'lost'),
  1500,
);
button.addEventListener('click', () => trigger('open', {run: live && live.run}));
let last;
const sync = () => {
  const value = props.value || {};
  const text = JSON.stringify(value);
  if (text === last) return;
  last = text;
  if ((value.run || null) !== (live && live.run)) show('', '');
  live = value.run ? {run: value.run, visitor: value.visitor} : null;
  if (!live) {
    known = null;
    return;
  }
  // What it becomes of that state is news, also when this value brings it.
  if (known?.run !== live.run) known = {run: live.run, state: value.state};
  start();
};
watch('value', sync);
sync();
