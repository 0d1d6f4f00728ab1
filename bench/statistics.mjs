/* What is computed from the figures of several rounds. A round that gave none is undefined. */

const isFigure = (value) => Number.isFinite(value);

/* Of an even count the mean of the middle two. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/* {median, min, max} of the rounds that gave a figure; null when none did. */
export function spread(values) {
  const figures = values.filter(isFigure);
  return figures.length === 0 ? null : { median: median(figures), min: Math.min(...figures), max: Math.max(...figures) };
}

/* Round by round, because what the machine did to one in a round it probably did to the other. */
export function ratios(ours, theirs) {
  return ours.map((value, round) => (isFigure(value) && isFigure(theirs[round]) ? value / theirs[round] : undefined));
}

/* Each round begins with another one, so that nobody always comes after the same neighbour's dirty pages. */
export function rotated(list, round) {
  const first = round % list.length;
  return [...list.slice(first), ...list.slice(0, first)];
}

/* `target` is {at_least} or {at_most}; `short` is the missing part of the target, 0 when it is met. */
export function judged(value, target) {
  const gap = target.at_least === undefined ? value / target.at_most - 1 : 1 - value / target.at_least;
  return { met: gap <= 0, short: Math.max(gap, 0) };
}
