/* What was measured as tables of Markdown that can be read in a terminal. */
import { judged, ratios, spread } from './statistics.mjs';

const NONE = '-';

const figureOf = (result, { path, per }) => path.split('.').reduce((node, step) => node?.[step], result) / per;

/* Of an entry, round by round; NaN where there is none. */
const roundsOf = (results, name, figure) => (results[name] ?? []).map(({ result }) => figureOf(result, figure));

/* A work as it was measured, `results` by entry and round, with all that is said of it. */
export function summarized(work, results) {
  const figures = work.entries.map(({ name }) => ({
    entry: name,
    figures: work.figures.map((figure) => ({ name: figure.name, unit: figure.unit, ...spread(roundsOf(results, name, figure)) })),
  }));
  const comparisons = work.compare.map((comparison) => compared(work, comparison, results));
  const failures = Object.entries(results).flatMap(([entry, rounds]) => rounds
    .map(({ failure }, round) => ({ entry, round: round + 1, failure })).filter(({ failure }) => failure !== undefined));
  return { name: work.name, title: work.title, bound: work.bound, figures, comparisons, failures, rounds: results };
}

function compared(work, { of, to, target, figure }, results) {
  const measure = figure ?? work.figures[0];
  const ours = roundsOf(results, of, measure);
  const found = spread(to === null ? ours : ratios(ours, roundsOf(results, to, measure)));
  const what = to === null ? `${of}: ${measure.name}` : `${of} / ${to}`;
  return { what, unit: to === null ? measure.unit : '', target, ...found, ...(found && target ? judged(found.median, target) : {}) };
}

/* ---- Text ---- */

export function number(value) {
  if (!Number.isFinite(value)) {
    return NONE;
  }
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

const withUnit = (text, unit) => (text === NONE ? text : `${text} ${unit}`.trim());

const range = ({ min, max }) => (min === undefined ? NONE : `${number(min)} to ${number(max)}`);

function wanted({ at_least, at_most }, unit) {
  return `${at_least === undefined ? 'at most' : 'at least'} ${withUnit(number(at_least ?? at_most), unit)}`;
}

export function verdict({ target, median, met, short }) {
  if (target === null) {
    return '';
  }
  if (median === undefined) {
    return 'not measured';
  }
  return met ? 'met' : `short by ${number(100 * short)} %`;
}

/* The first column is text, the others are set to the right. */
export function table(head, rows) {
  const widths = head.map((name, column) => Math.max(3, name.length, ...rows.map((row) => row[column].length)));
  const line = (cells) => `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(' | ')} |`;
  const rule = `|${widths.map((width, i) => (i === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}

const comparisonCells = (c) =>
  [withUnit(number(c.median), c.unit), range(c), c.target ? wanted(c.target, c.unit) : '', verdict(c)];

const heading = ({ name, unit }) => (unit === '' ? name : `${name}, ${unit}`);

/* A work: who did how much, then how that compares, then what failed. */
export function renderWork({ name, title, bound, figures, comparisons, failures }) {
  const { figures: columns } = figures[0];
  const head = ['contender', ...columns.flatMap((figure) => [heading(figure), 'min to max'])];
  const rows = figures.map((row) => [row.entry, ...row.figures.flatMap((figure) => [number(figure.median), range(figure)])]);
  const parts = [`## ${name}: ${title} (${bound ? 'one core' : 'both'})`, table(head, rows)];
  if (comparisons.length > 0) {
    parts.push(table(['compared', 'median', 'min to max', 'target', ''], comparisons.map((c) => [c.what, ...comparisonCells(c)])));
  }
  if (failures.length > 0) {
    parts.push(failures.map(({ entry, round, failure }) => `- ${entry}, round ${round}: ${failure}`).join('\n'));
  }
  return parts.join('\n\n');
}

/* All targets at one sight; empty when the works have none. */
export function renderTargets(works) {
  const rows = works.flatMap((work) => work.comparisons.filter(({ target }) => target !== null)
    .map((c) => [`${work.name}: ${c.what}`, ...comparisonCells(c)]));
  return rows.length === 0 ? '' : `## Targets\n\n${table(['work', 'median', 'min to max', 'target', ''], rows)}`;
}

export function renderMachine(machine, unavailable) {
  const facts = Object.entries(machine).map(([name, value]) => `- ${name}: ${value}`);
  const missing = Object.entries(unavailable).map(([name, why]) => `- not measured: ${name}: ${why}`);
  return `# Benchmarks\n\n${[...facts, ...missing].join('\n')}`;
}
