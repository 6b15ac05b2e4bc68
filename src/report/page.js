// Sorting by a click on a column's head, and filters. The page is complete without it.
'use strict';

/** Puts rows into ascending order (1), descending order (-1) or back into the page's own order (0). */
function sortRows(body, column, numeric, direction) {
  const rows = Array.from(body.rows);
  const keyed = rows.map((row) => {
    const cell = row.cells[column];
    const key = numeric ? parseFloat(cell.dataset.v) : cell.textContent;
    return {row, key, order: Number(row.dataset.order)};
  });
  keyed.sort((a, b) => {
    if (direction === 0) return a.order - b.order;
    if (numeric) {
      // Rows without a figure stay at the end, whatever the direction.
      const lacksA = Number.isNaN(a.key), lacksB = Number.isNaN(b.key);
      if (lacksA || lacksB) return lacksA - lacksB || a.order - b.order;
      return direction * (a.key - b.key) || a.order - b.order;
    }
    return direction * a.key.localeCompare(b.key, 'en', {numeric: true}) || a.order - b.order;
  });
  body.append(...keyed.map((entry) => entry.row));
}

function makeSortable(table) {
  const body = table.tBodies[0];
  Array.from(body.rows).forEach((row, index) => { row.dataset.order = index; });
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, column) => {
    const numeric = Array.from(body.rows).some((row) => row.cells[column].dataset.v !== undefined);
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = head.textContent;
    head.replaceChildren(button);
    head.setAttribute('aria-sort', 'none');
    button.addEventListener('click', () => {
      const next = {none: 'ascending', ascending: 'descending', descending: 'none'}[head.getAttribute('aria-sort')];
      heads.forEach((other) => other.setAttribute('aria-sort', 'none'));
      head.setAttribute('aria-sort', next);
      sortRows(body, column, numeric, {none: 0, ascending: 1, descending: -1}[next]);
    });
  });
}

function addFilter(place) {
  const items = Array.from(place.querySelectorAll(place.dataset.filter));
  if (items.length < 8) return;
  const texts = items.map((item) => {
    const part = item.matches('details') ? item.querySelector('summary') : item;
    return part.textContent.toLowerCase();
  });
  const bar = document.createElement('div');
  bar.className = 'filter';
  const input = document.createElement('input');
  input.type = 'search';
  input.placeholder = 'Filter';
  input.setAttribute('aria-label', 'Filter ' + place.dataset.noun);
  const count = document.createElement('span');
  const update = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    items.forEach((item, index) => {
      item.hidden = !words.every((word) => texts[index].includes(word));
      shown += item.hidden ? 0 : 1;
    });
    count.textContent = (shown === items.length ? '' : shown + ' of ') + items.length + ' ' + place.dataset.noun;
  };
  input.addEventListener('input', update);
  bar.append(input, count);
  place.before(bar);
  update();
}

document.querySelectorAll('table.sortable').forEach(makeSortable);
document.querySelectorAll('[data-filter]').forEach(addFilter);
