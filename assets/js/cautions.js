// Warnings, each a sentence or two.
const list = find('.warnings');
list.setAttribute('aria-label', settings.caption);
const render = () => {
  const sentences = (props.value || {}).cautions || [];
  list.hidden = !sentences.length;
  fill(
    list,
    sentences,
    () => make('li'),
    (item, text) => say(item, text),
  );
};
watch('value', render);
render();
