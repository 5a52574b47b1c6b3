// The strip of facts on its own.
const list = find('.facts');
list.setAttribute('aria-label', props.caption);
const render = () => fillFacts(list, (props.value || {}).facts);
watch('value', render);
render();
