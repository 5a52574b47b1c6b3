// One sentence and its mark; warnings under it.
const card = find('.verdict');
const mark = find('.mark');
const sentence = find('.sentence');
const warnings = find('.warnings');
const MARK = {better: '+', same: '=', worse: '−', none: '?'};
card.setAttribute('aria-label', settings.caption);
const render = () => {
  const value = props.value || {};
  card.dataset.outcome = value.outcome || '';
  mark.hidden = !MARK[value.outcome];
  say(mark, MARK[value.outcome]);
  say(sentence, value.sentence);
  warnings.hidden = !(value.warnings || []).length;
  fill(
    warnings,
    value.warnings || [],
    () => make('li'),
    (item, text) => say(item, text),
  );
};
watch('value', render);
render();
