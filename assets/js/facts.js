// The strip of facts on its own.
const list = find('.facts');
list.setAttribute('aria-label', settings.caption);
const render = () => fillFacts(list, (props.value || {}).facts);
watch('value', render);
render();
