// Shared by every component: text becomes DOM by createElement and textContent only, so nothing a
// person typed is ever parsed as HTML.
const make = (tag, className, text) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
};
const find = selector => element.querySelector(selector);
const settings = find('template.settings').dataset; // what the page's author chose; all of it text
const say = (node, text) => {
  if (node.textContent !== (text || '')) node.textContent = text || '';
};

// Make `list` hold one child per item. Nodes are kept, so focus survives and nothing flickers.
const fill = (list, items, create, update) => {
  items.forEach((item, index) => {
    if (!list.children[index]) list.append(create());
    update(list.children[index], item, index);
  });
  while (list.children.length > items.length) list.lastChild.remove();
};
// True when `node` does not show `item` yet: of hundreds of nodes one click changes a few, and only
// these are touched.
const isNew = (node, item) => {
  const told = JSON.stringify(item);
  return node.told !== told && Boolean((node.told = told));
};

const fillFacts = (list, facts) => {
  list.hidden = !facts || !facts.length;
  fill(
    list,
    facts || [],
    () => {
      const card = make('div', 'fact');
      const value = make('dd');
      value.append(make('b'), make('span', 'extra'));
      card.append(make('dt'), value);
      return card;
    },
    (card, fact) => {
      say(card.firstChild, fact.name);
      say(card.lastChild.firstChild, fact.value);
      say(card.lastChild.lastChild, fact.extra);
    },
  );
};

// One tab stop for a strip of buttons: arrows, Home and End move, `onFocus(index)` hears where.
const rove = (strip, onFocus) => {
  const buttons = () => [...strip.querySelectorAll('button')];
  const stop = index =>
    buttons().forEach((button, i) => {
      button.tabIndex = i === index ? 0 : -1;
    });
  strip.addEventListener('focusin', event => {
    const index = buttons().indexOf(event.target.closest('button'));
    if (index >= 0) {
      stop(index);
      onFocus(index);
    }
  });
  strip.addEventListener('keydown', event => {
    const all = buttons();
    const now = all.indexOf(document.activeElement);
    const next = {
      ArrowRight: now + 1,
      ArrowDown: now + 1,
      ArrowLeft: now - 1,
      ArrowUp: now - 1,
      Home: 0,
      End: all.length - 1,
    }[event.key];
    if (now < 0 || next === undefined) return;
    event.preventDefault();
    all[Math.max(0, Math.min(all.length - 1, next))].focus();
  });
  return () => {
    const at = buttons().findIndex(button => button.tabIndex === 0);
    stop(Math.max(0, at));
  };
};

// Clicks that come while the answer to earlier ones is awaited go to the server together, once it
// is there. Gradio would skip them, or send the earlier ones a second time. `send(clicks, turn)`
// asks; the answer brings `turn` back to `answered`. When none comes (an error), the next may go
// after `patienceMs`.
const gather = (send, patienceMs = 60000) => {
  let waiting = [];
  let turn = 0;
  let awaited = null;
  const flush = () => {
    awaited = null;
    if (!waiting.length) return;
    const clicks = waiting;
    waiting = [];
    awaited = setTimeout(flush, patienceMs);
    send(clicks, (turn += 1));
  };
  return {
    add: click => {
      waiting.push(click);
      if (awaited === null) flush();
    },
    answered: told => {
      if (awaited !== null && told === turn) {
        clearTimeout(awaited);
        awaited = setTimeout(flush);
      }
    },
    // Clicks that an answer with this turn does not know of.
    pending: told => waiting.length > 0 || (awaited !== null && told !== turn),
  };
};

// Between two questions to a server that does not answer: one that was restarted is found this soon.
const LONGEST_WAIT_MS = 5000;
// Ask the server again and again while `subject()` stays the same: `take(answer)` returns false to
// end, or how many ms to wait this time. Rests while nobody can see the component, waits longer
// after each failure and tells `lost()`.
const keepAsking = (subject, ask, take, lost, everyMs) => {
  let timer = null;
  let busy = false;
  let failures = 0;
  const turn = async () => {
    timer = null;
    const asked = subject();
    if (asked === null || !element.isConnected) return;
    let more = true;
    if (!document.hidden && element.offsetParent !== null) {
      busy = true;
      try {
        const answer = await ask(asked);
        failures = 0;
        if (asked === subject()) {
          more = await take(answer, asked);
          if (asked !== subject()) more = true;
        }
      } catch (error) {
        failures += 1;
        lost(error);
      } finally {
        busy = false;
      }
    }
    if (more === false) return;
    const regular = Math.min(everyMs * 2 ** failures, LONGEST_WAIT_MS);
    timer = setTimeout(turn, Number.isFinite(more) ? more : regular);
  };
  return () => {
    if (!busy) {
      clearTimeout(timer);
      turn();
    }
  };
};
