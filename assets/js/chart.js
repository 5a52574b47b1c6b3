// A Plotly view whose DOM is never rebuilt. Colours are written as var(--name) and looked up here,
// again whenever the theme flips.
const box = find('.plot'), empty = find('.empty'), note = find('.note'), more = find('.more');
const bar = find('.progress'), factList = find('.facts'), legend = find('.legend');
const numbers = find('.numbers'), download = find('.numbers button');
const numbersHead = find('.numbers thead tr'), numbersBody = find('.numbers tbody');
// live: {run, cursor} of the drawing that is growing
let run = null, live = null, shown = null, xMax = null, zoomed = false, listening = false;
let marks = [], drawnFig = null, told = null;

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
    // another try fetches it again
    script.addEventListener('error', () => script.remove());
    document.head.append(script);
  }
  for (let waited = 0; !window.Plotly; waited += 50) {
    if (waited > 30000) throw new Error('plotly did not load');
    await new Promise(done => setTimeout(done, 50));
  }
  return window.Plotly;
};

const VARIABLE = /^var\((--[\w-]+)\)$/;
const lookUp = text => {
  const name = VARIABLE.exec(text);
  return name ? getComputedStyle(element).getPropertyValue(name[1]).trim() : text;
};
const isColour = item => typeof item === 'string' && VARIABLE.test(item);
const isColours = item => isColour(item) || (Array.isArray(item) && item.some(isColour));
const ARRAYS = {
  i1: Int8Array, u1: Uint8Array, i2: Int16Array, u2: Uint16Array,
  i4: Int32Array, u4: Uint32Array, f4: Float32Array, f8: Float64Array,
};
const unpack = ({dtype, bdata}) => {
  const bytes = Uint8Array.from(atob(bdata), char => char.charCodeAt(0));
  return Array.from(new ARRAYS[dtype](bytes.buffer));
};
const resolve = item => {
  if (typeof item === 'string') return lookUp(item);
  if (Array.isArray(item)) return item.map(resolve);
  if (!item || typeof item !== 'object') return item;
  if (item.bdata && !item.shape && ARRAYS[item.dtype]) return unpack(item);
  return Object.fromEntries(Object.entries(item).map(([key, part]) => [key, resolve(part)]));
};
// Every path in `item` that holds a colour variable, with its colour: {'line.color': '#3d46c2'}.
const colours = (item, path = '', found = {}) => {
  if (isColours(item)) {
    found[path] = resolve(item);
  } else if (Array.isArray(item)) {
    item.forEach((part, index) => {
      if (part && typeof part === 'object') colours(part, path + '[' + index + ']', found);
    });
  } else if (item && typeof item === 'object') {
    for (const [key, part] of Object.entries(item)) {
      colours(part, path ? path + '.' + key : key, found);
    }
  }
  return found;
};

const quietAxis = (axis = {}) => ({
  gridcolor: 'var(--line)', linecolor: 'var(--line)', zerolinecolor: 'var(--line)',
  gridwidth: 1, showline: false, zeroline: false, automargin: true, ...axis,
  title: {
    font: {size: 12}, standoff: 8,
    ...(typeof axis.title === 'string' ? {text: axis.title} : axis.title),
  },
});
const quiet = fig => {
  const {template, ...layout} = fig.layout || {};
  const axes = Object.keys(layout).filter(key => /^[xy]axis\d*$/.test(key));
  const drawn = {
    margin: {l: 44, r: 14, t: 12, b: 28},
    dragmode: matchMedia('(pointer: coarse)').matches ? false : 'zoom',
    hovermode: 'closest', uirevision: run || 'still', ...layout,
    showlegend: false, autosize: true, height: Number(settings.height), width: undefined,
    paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)',
    font: {size: 12, ...layout.font, family: 'var(--sans)', color: 'var(--soft)'},
    hoverlabel: {
      bgcolor: 'var(--card)', bordercolor: 'var(--line)',
      font: {color: 'var(--ink)', family: 'var(--sans)'}, ...layout.hoverlabel,
    },
    modebar: {bgcolor: 'rgba(0,0,0,0)', color: 'var(--soft)', activecolor: 'var(--accent)'},
  };
  for (const axis of new Set([...axes, 'xaxis', 'yaxis'])) drawn[axis] = quietAxis(layout[axis]);
  drawn.xaxis.showgrid = Boolean((layout.xaxis || {}).showgrid);
  return {data: fig.data || [], layout: drawn, bare: drawn};
};
// Where the run was paused or resumed: a dotted line with its words.
const markLine = mark => ({
  type: 'line', x0: mark.step, x1: mark.step, yref: 'paper', y0: 0, y1: 1,
  line: {color: 'var(--soft)', width: 1, dash: 'dot'},
});
const markWords = (mark, index) => ({
  x: mark.step, yref: 'paper', y: 1 - 0.07 * (index % 3), text: mark.text, showarrow: false,
  xanchor: 'left', xshift: 3, font: {size: 11, color: 'var(--soft)'},
});
const marked = layout => ({
  ...layout,
  shapes: [...(layout.shapes || []), ...marks.map(markLine)],
  annotations: [...(layout.annotations || []), ...marks.map(markWords)],
});
const setMarks = async news => {
  if (!news || JSON.stringify(news) === JSON.stringify(marks) || !shown) return;
  marks = news;
  const {shapes, annotations} = resolve(marked(shown.bare));
  shown.layout = marked(shown.bare);
  await (await plotly()).relayout(box, {shapes, annotations});
};
const CONFIG = {
  displaylogo: false, displayModeBar: 'hover',
  modeBarButtons: [['zoom2d', 'pan2d', 'resetScale2d', 'toImage']],
};

const legendItem = () => {
  const item = make('li');
  item.append(make('i'), make('span'));
  return item;
};
const signOf = trace => {
  const dash = (trace.line || {}).dash;
  if (trace.type === 'bar' || trace.type === 'histogram') return 'block';
  if (!(trace.mode || 'lines').includes('lines')) return 'dots';
  return dash && dash !== 'solid' ? 'dash' : 'solid';
};
const colourOf = trace => {
  const own = [(trace.line || {}).color, (trace.marker || {}).color];
  return own.find(colour => typeof colour === 'string') || 'var(--tuned)';
};
const fillLegend = traces => {
  const named = traces.filter(trace => trace.name && trace.showlegend !== false);
  legend.hidden = !named.length;
  fill(legend, named, legendItem, (item, trace) => {
    item.firstChild.className = signOf(trace);
    item.firstChild.style.color = colourOf(trace);
    item.firstChild.style.opacity = Math.max(trace.opacity ?? 1, 0.45);
    say(item.lastChild, trace.name);
  });
};

const hear = () => {
  if (listening) return;
  listening = true;
  box.on('plotly_relayout', change => {
    const from = change['xaxis.range[0]'], to = change['xaxis.range[1]'];
    if (change['xaxis.autorange']) zoomed = false;
    else if (from !== undefined) zoomed = !(from === 0 && to === xMax);
  });
};

let drawings = 0;
const draw = async () => {
  // while the library is on its way another figure may come: the last one is drawn
  const mine = (drawings += 1);
  const fig = (props.value || {}).fig;
  empty.hidden = Boolean(fig);
  help.hidden = !settings.help_text || !(fig || grows);
  box.hidden = !fig;
  say(empty, (props.value || {}).empty);
  marks = [];
  if (!fig) {
    shown = null;
    if (window.Plotly) Plotly.purge(box);
    listening = false;
    legend.hidden = true;
    return;
  }
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
  found.forEach((paths, index) => {
    for (const [path, colour] of Object.entries(paths)) {
      (edits[path] ||= found.map(() => undefined))[index] = colour;
    }
  });
  Plotly.update(box, edits, colours(shown.layout), found.map((_, index) => index));
};

const setProgress = share => {
  bar.style.visibility = typeof share === 'number' ? 'visible' : 'hidden';
  if (typeof share !== 'number') return;
  const per = Math.round(Math.max(0, Math.min(1, share)) * 1000) / 10;
  bar.setAttribute('aria-valuenow', per);
  bar.firstChild.style.width = per + '%';
};
const setWords = part => {
  fillFacts(factList, part.facts);
  say(note, part.note);
  note.hidden = !grows && !part.note;
  say(more, part.more);
  setProgress(part.progress);
};

const pointsOf = (part, indexes) => ({
  x: indexes.map(index => part[index].x),
  y: indexes.map(index => part[index].y),
});
const grow = async answer => {
  const Plot = await plotly();
  const {add, replace} = answer, num = box.data ? box.data.length : 0;
  const traces = part => Object.keys(part || {}).map(Number).filter(index => index < num);
  const added = traces(add).filter(index => add[index].x.length), replaced = traces(replace);
  if (added.length) await Plot.extendTraces(box, pointsOf(add, added), added);
  const edits = replaced.length ? pointsOf(replace, replaced) : {};
  const longer = answer.x_max && answer.x_max !== xMax && box.data;
  if (longer) xMax = answer.x_max;
  const axes = longer && !zoomed ? {'xaxis.range': [0, xMax]} : {};
  // an empty drawing has no numbers at its axes; they come with the first point
  const isBare = box.layout?.yaxis?.showticklabels === false;
  const first =
    (isBare && box.data.some(trace => trace.x?.length)) || replaced.some(i => replace[i].x.length);
  if (first) axes['xaxis.showticklabels'] = axes['yaxis.showticklabels'] = true;
  await setMarks(answer.marks);
  if (!replaced.length && !longer && !first) return;
  await Plot.update(box, edits, axes, replaced.length ? replaced : undefined);
};

const isNews = (answer, asked) => {
  const isSame = JSON.stringify(answer.cursor) === JSON.stringify(asked.cursor);
  return !isSame || answer.replace || answer.x_max !== xMax;
};
const ask = asked =>
  server.poll({run: asked.run, visitor: asked.visitor, cursor: asked.cursor});
const take = async (answer, asked) => {
  if (answer === null) {
    say(note, 'This run is not on the server any more.');
    return false;
  }
  if (isNews(answer, asked)) await grow(answer);
  asked.cursor = answer.cursor;
  setWords(answer);
  const changed = told !== answer.state;
  told = answer.state;
  if (changed) {
    if (numbers.open) fillNumbers();
    trigger(answer.final ? 'finished' : 'changed', {run: asked.run, state: answer.state});
  }
  return !answer.final;
};
const lost = () => say(note, 'Connection lost, trying again…');
const start = keepAsking(() => live, ask, take, lost, 700);

// The same numbers as a table, asked for only when somebody opens it. A chart that does not poll
// has them in its value.
const numbersAs = want => server.poll({run: live.run, visitor: live.visitor, want});
const headCell = () => {
  const cell = make('th');
  cell.scope = 'col';
  return cell;
};
const fillNumbers = async () => {
  let table = (props.value || {}).table;
  if (live) try { table = await numbersAs('table'); } catch (error) { return; }
  if (!table || !table.head) return;
  fill(numbersHead, table.head, headCell, (cell, text) => say(cell, text));
  fill(numbersBody, table.rows, () => make('tr'), (row, cells) => {
    fill(row, cells, () => make('td'), (cell, text) => say(cell, String(text)));
  });
};
numbers.addEventListener('toggle', () => { if (numbers.open) fillNumbers(); });
download.addEventListener('click', async () => {
  let answer = null;
  try { answer = await numbersAs('csv'); } catch (error) { /* said below */ }
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
  const value = props.value || {}, fig = JSON.stringify(value.fig ?? null);
  const fresh = (value.run ?? null) !== run;
  // the same drawing of the same run: points and zoom stay
  const keeps = !fresh && run && live && fig === drawnFig;
  run = value.run ?? null;
  numbers.hidden = !value.fig || (!grows && !value.table);
  download.hidden = !grows;
  told = value.state ?? null;
  if (keeps) { live.visitor = value.visitor; start(); return; }
  live = null;
  xMax = null;
  if (fresh) { zoomed = false; numbers.open = false; }
  if (fresh || !run) setWords(value);
  drawnFig = null;
  try {
    await draw();
  } catch (error) {
    empty.hidden = false;
    say(empty, 'The chart could not be drawn. Reload the page to try again.');
    console.warn(error);
    return;
  }
  if (text !== last) return;
  drawnFig = fig;
  if (numbers.open) fillNumbers();
  if (!run || !grows) return;
  live = {run, visitor: value.visitor, cursor: 0};
  start();
};
const onTheme = new MutationObserver(() => { if (element.isConnected) recolour(); });
onTheme.observe(document.body, {attributes: true, attributeFilter: ['class']});
new ResizeObserver(() => {
  if (!shown || !box.data || !box.offsetWidth) return;
  if (box.offsetWidth !== box._fullLayout?.width) Plotly.Plots.resize(box);
}).observe(box);
watch('value', sync);
sync();
if (grows) plotly().catch(() => {});   // so that it is there when the first run is
