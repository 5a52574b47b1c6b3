// A sentence of buttons: a click or Space hides a word or shows it again, here and at once; the
// server is told, and answers what the models make of it.
const strip = find('.strip');
strip.setAttribute('aria-label', settings.caption);
const settle = rove(strip, () => {});
strip.addEventListener('click', event => {
  const word = event.target.closest('.chip');
  if (!word) return;
  word.focus();
  const clicked = [...strip.children].indexOf(word);
  props.value = {
    words: props.value.words.map((item, index) =>
      index === clicked ? {...item, blank: !item.blank} : item,
    ),
  };
  render();
  trigger('toggle', {});
});
const render = () => {
  fill(
    strip,
    (props.value || {}).words || [],
    () => {
      const word = make('button', 'chip');
      word.type = 'button';
      word.tabIndex = -1;
      return word;
    },
    (word, item) => {
      say(word, item.blank ? '____' : item.text);
      word.dataset.fate = item.blank ? 'mask' : 'untouched';
      word.setAttribute('aria-pressed', String(Boolean(item.blank)));
      if (item.blank) word.setAttribute('aria-label', 'blank');
      else word.removeAttribute('aria-label');
      word.title = item.blank ? 'Show this word again' : 'Hide this word';
    },
  );
  settle();
};
watch('value', render);
render();
