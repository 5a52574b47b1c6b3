// A Plotly view whose DOM is never rebuilt. Colours are written as var(--name) and looked up here, again whenever the theme flips.
const box = find('.plot'), empty = find('.empty'), note = find('.note'), bar = find('.progress'), factList = find('.facts'), legend = find('.legend');
const more = find('.more'), numbers = find('.numbers'), numbersHead = find('.numbers thead tr'), numbersBody = find('.numbers tbody'), download = find('.numbers button');
let run = null, live = null, shown = null, xMax = null, zoomed = false, listening = false, marks = [], drawnFig = null, told = null;   // live: {run, cursor} of the drawing that is growing

box.style.height = Number(settings.height) + 'px';
box.setAttribute('aria-label', settings.caption);
const help = find('.help'), grows = settings.live === 'True';
say(help, settings.help_text);
find('.frame').classList.toggle('card', settings.framed === 'True');
bar.hidden = more.hidden = !grows;

// Plotly is fetched once for the whole page, in the background: words never wait for it.
const plotly = async () => {
  if (!window.Plotly && !document.querySelector('script[data-plotly]')) {
    const script = make('script');
    script.src = settings.plotly;
    script.dataset.plotly = '';
    script.addEventListener('error', () => script.remove());   // so that another try fetches it again
    document.head.append(script);
  }
  for (let waited = 0; !window.Plotly; waited += 50) {
    if (waited > 30000) throw new Error('plotly did not load');
    await new Promise(done => setTimeout(done, 50));
  }
  return window.Plotly;
};

const VARIABLE = /^var\((--[\w-]+)\)$/;
const lookUp = text => { const name = VARIABLE.exec(text); return name ? getComputedStyle(element).getPropertyValue(name[1]).trim() : text; };
const isColours = item => (typeof item === 'string' && VARIABLE.test(item)) || (Array.isArray(item) && item.some(part => typeof part === 'string' && VARIABLE.test(part)));
const ARRAYS = {i1: Int8Array, u1: Uint8Array, i2: Int16Array, u2: Uint16Array, i4: Int32Array, u4: Uint32Array, f4: Float32Array, f8: Float64Array};
const unpack = ({dtype, bdata}) => Array.from(new ARRAYS[dtype](Uint8Array.from(atob(bdata), char => char.charCodeAt(0)).buffer));
const resolve = item => {
  if (typeof item === 'string') return lookUp(item);
  if (Array.isArray(item)) return item.map(resolve);
  if (!item || typeof item !== 'object') return item;
  if (item.bdata && !item.shape && ARRAYS[item.dtype]) return unpack(item);
  return Object.fromEntries(Object.entries(item).map(([key, part]) => [key, resolve(part)]));
};
// Every path in `item` that holds a colour variable, with its present colour: {'line.color': '#3d46c2'}.
const colours = (item, path = '', found = {}) => {
  if (isColours(item)) found[path] = resolve(item);
  else if (Array.isArray(item)) item.forEach((part, index) => { if (part && typeof part === 'object') colours(part, path + '[' + index + ']', found); });
  else if (item && typeof item === 'object') Object.entries(item).forEach(([key, part]) => colours(part, path ? path + '.' + key : key, found));
  return found;
};

const quietAxis = axis => ({gridcolor: 'var(--line)', linecolor: 'var(--line)', zerolinecolor: 'var(--line)', gridwidth: 1, showline: false, zeroline: false, automargin: true, ...axis,
  title: {font: {size: 12}, standoff: 8, ...(typeof (axis || {}).title === 'string' ? {text: axis.title} : (axis || {}).title)}});
const quiet = fig => {
  const {template, ...layout} = fig.layout || {};
  const axes = Object.keys(layout).filter(key => /^[xy]axis\d*$/.test(key));
  const drawn = {
    margin: {l: 44, r: 14, t: 12, b: 28}, dragmode: matchMedia('(pointer: coarse)').matches ? false : 'zoom', hovermode: 'closest', uirevision: run || 'still', ...layout,
    showlegend: false, autosize: true, height: Number(settings.height), width: undefined, paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)',
    font: {size: 12, ...layout.font, family: 'var(--sans)', color: 'var(--soft)'},
    hoverlabel: {bgcolor: 'var(--card)', bordercolor: 'var(--line)', font: {color: 'var(--ink)', family: 'var(--sans)'}, ...layout.hoverlabel},
    modebar: {bgcolor: 'rgba(0,0,0,0)', color: 'var(--soft)', activecolor: 'var(--accent)'},
  };
  for (const axis of new Set([...axes, 'xaxis', 'yaxis'])) drawn[axis] = quietAxis(layout[axis]);
  drawn.xaxis.showgrid = Boolean((layout.xaxis || {}).showgrid);
  return {data: fig.data || [], layout: drawn, bare: drawn};
};
// Where the run was paused or went on: a dotted line with its words.
const marked = layout => ({...layout,
  shapes: [...(layout.shapes || []), ...marks.map(mark => ({type: 'line', x0: mark.step, x1: mark.step, yref: 'paper', y0: 0, y1: 1, line: {color: 'var(--soft)', width: 1, dash: 'dot'}}))],
  annotations: [...(layout.annotations || []), ...marks.map((mark, index) => ({x: mark.step, yref: 'paper', y: 1 - 0.07 * (index % 3), text: mark.text, showarrow: false, xanchor: 'left', xshift: 3, font: {size: 11, color: 'var(--soft)'}}))]});
const setMarks = async news => {
  if (!news || JSON.stringify(news) === JSON.stringify(marks) || !shown) return;
  marks = news;
  const {shapes, annotations} = resolve(marked(shown.bare));
  shown.layout = marked(shown.bare);
  await (await plotly()).relayout(box, {shapes, annotations});
};
const CONFIG = { displaylogo: false, displayModeBar: 'hover', modeBarButtons: [['zoom2d', 'pan2d', 'resetScale2d', 'toImage']]};

const fillLegend = traces => {
  const named = traces.filter(trace => trace.name && trace.showlegend !== false);
  legend.hidden = !named.length;
  fill(legend, named, () => { const item = make('li'); item.append(make('i'), make('span')); return item; }, (item, trace) => {
    const line = trace.line || {}, marker = trace.marker || {};
    const drawn = trace.type === 'bar' || trace.type === 'histogram' ? 'block' : (trace.mode || 'lines').includes('lines') ? (line.dash && line.dash !== 'solid' ? 'dash' : 'solid') : 'dots';
    item.firstChild.className = drawn;
    item.firstChild.style.color = [line.color, marker.color].find(colour => typeof colour === 'string') || 'var(--tuned)';
    item.firstChild.style.opacity = Math.max(trace.opacity ?? 1, 0.45);
    say(item.lastChild, trace.name);
  });
};

const hear = () => {
  if (listening) return;
  listening = true;
  box.on('plotly_relayout', change => {
    if (change['xaxis.autorange']) zoomed = false;
    else if ('xaxis.range[0]' in change) zoomed = !(change['xaxis.range[0]'] === 0 && change['xaxis.range[1]'] === xMax);
  });
};

let drawings = 0;
const draw = async () => {
  const mine = drawings += 1;   // while the library is on its way another figure may come: the last one is drawn
  const fig = (props.value || {}).fig;
  empty.hidden = Boolean(fig);
  help.hidden = !settings.help_text || !(fig || grows);
  box.hidden = !fig;
  say(empty, (props.value || {}).empty);
  marks = [];
  if (!fig) { shown = null; if (window.Plotly) Plotly.purge(box); listening = false; legend.hidden = true; return; }
  const Plot = await plotly();
  if (mine !== drawings) return;
  shown = quiet(fig);
  await Plot.react(box, resolve(shown.data), resolve(shown.layout), CONFIG);
  fillLegend(shown.data);
  hear();
};

const recolour = () => {
  if (!shown || !box.data) return;
  const found = shown.data.map(trace => colours(trace)), edits = {};
  found.forEach((paths, index) => Object.entries(paths).forEach(([path, colour]) => { (edits[path] ||= found.map(() => undefined))[index] = colour; }));
  Plotly.update(box, edits, colours(shown.layout), found.map((_, index) => index));
};

const setProgress = share => {
  bar.style.visibility = typeof share === 'number' ? 'visible' : 'hidden';
  if (typeof share !== 'number') return;
  const per = Math.round(Math.max(0, Math.min(1, share)) * 1000) / 10;
  bar.setAttribute('aria-valuenow', per);
  bar.firstChild.style.width = per + '%';
};
const setWords = part => { fillFacts(factList, part.facts); say(note, part.note); note.hidden = !grows && !part.note; say(more, part.more); setProgress(part.progress); };

const grow = async answer => {
  const Plot = await plotly();
  const byTrace = part => Object.keys(part || {}).map(Number).filter(index => box.data && index < box.data.length);
  const added = byTrace(answer.add).filter(index => answer.add[index].x.length), replaced = byTrace(answer.replace);
  if (added.length) await Plot.extendTraces(box, {x: added.map(i => answer.add[i].x), y: added.map(i => answer.add[i].y)}, added);
  const edits = replaced.length ? {x: replaced.map(i => answer.replace[i].x), y: replaced.map(i => answer.replace[i].y)} : {};
  const longer = answer.x_max && answer.x_max !== xMax && box.data;
  if (longer) xMax = answer.x_max;
  const axes = longer && !zoomed ? {'xaxis.range': [0, xMax]} : {};
  const first = box.layout?.yaxis?.showticklabels === false && box.data.some(trace => trace.x?.length) || replaced.some(i => answer.replace[i].x.length);
  if (first) axes['xaxis.showticklabels'] = axes['yaxis.showticklabels'] = true;   // an empty drawing has no numbers at its axes
  await setMarks(answer.marks);
  if (replaced.length || longer || first) await Plot.update(box, edits, axes, replaced.length ? replaced : undefined);
};

const start = keepAsking(() => live, asked => server.poll({run: asked.run, visitor: asked.visitor, cursor: asked.cursor}), async (answer, asked) => {
  if (answer === null) { say(note, 'This run is not on the server any more.'); return false; }
  if (JSON.stringify(answer.cursor) !== JSON.stringify(asked.cursor) || answer.replace || answer.x_max !== xMax) await grow(answer);
  asked.cursor = answer.cursor;
  setWords(answer);
  const changed = told !== answer.state;
  told = answer.state;
  if (changed) {
    if (numbers.open) fillNumbers();
    trigger(answer.final ? 'finished' : 'changed', {run: asked.run, state: answer.state});
  }
  return !answer.final;
}, () => say(note, 'Connection lost, trying again…'), 700);

// The same numbers as a table, asked for only when somebody opens it; of a chart that stands still they come with it.
const fillNumbers = async () => {
  const value = props.value || {};
  let table = value.table;
  if (live) try { table = await server.poll({run: live.run, visitor: live.visitor, want: 'table'}); } catch (error) { return; }
  if (!table || !table.head) return;
  fill(numbersHead, table.head, () => { const cell = make('th'); cell.scope = 'col'; return cell; }, (cell, text) => say(cell, text));
  fill(numbersBody, table.rows, () => make('tr'), (row, cells) => fill(row, cells, () => make('td'), (cell, text) => say(cell, String(text))));
};
numbers.addEventListener('toggle', () => { if (numbers.open) fillNumbers(); });
download.addEventListener('click', async () => {
  let answer = null;
  try { answer = await server.poll({run: live.run, visitor: live.visitor, want: 'csv'}); } catch (error) { /* said below */ }
  if (!answer) return say(note, 'The numbers could not be fetched. Try again.');
  const link = make('a');
  link.href = URL.createObjectURL(new Blob([answer.csv], {type: 'text/csv'}));
  link.download = 'loss.csv';
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
});

let last;
const sync = async () => {
  const text = JSON.stringify(props.value);
  if (text === last) return;
  last = text;
  const value = props.value || {}, fresh = (value.run ?? null) !== run, fig = JSON.stringify(value.fig ?? null);
  const keeps = !fresh && run && live && fig === drawnFig;   // the same drawing of the same run: points and zoom stay
  run = value.run ?? null;
  numbers.hidden = !value.fig || (settings.live !== 'True' && !value.table);
  download.hidden = settings.live !== 'True';
  told = value.state ?? null;
  if (keeps) { live.visitor = value.visitor; start(); return; }
  live = null;
  xMax = null;
  if (fresh) { zoomed = false; numbers.open = false; }
  if (fresh || !run) setWords(value);
  drawnFig = null;
  try { await draw(); } catch (error) { empty.hidden = false; say(empty, 'The chart could not be drawn. Reload the page to try again.'); console.warn(error); return; }
  if (text !== last) return;
  drawnFig = fig;
  if (numbers.open) fillNumbers();
  if (!run || !grows) return;
  live = {run, visitor: value.visitor, cursor: 0};
  start();
};
new MutationObserver(() => { if (element.isConnected) recolour(); }).observe(document.body, {attributes: true, attributeFilter: ['class']});
new ResizeObserver(() => { if (shown && box.data && box.offsetWidth && box.offsetWidth !== box._fullLayout?.width) Plotly.Plots.resize(box); }).observe(box);
watch('value', sync);
sync();
if (settings.live === 'True') plotly().catch(() => {});   // so that it is there when the first run is
