/* The benchmark's own arithmetic, readers and tables, on fixed inputs; nothing is started. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { quoted } from '../../bench/contenders/nginx.mjs';
import { parsePgbench } from '../../bench/contenders/postgres.mjs';
import { benchmarkArguments, parseRedisCsv } from '../../bench/contenders/redis.mjs';
import { benchArguments, checked } from '../../bench/load.mjs';
import { coresOf, cpuList } from '../../bench/processes.mjs';
import { number, renderMachine, renderTargets, renderWork, summarized, table, verdict } from '../../bench/report.mjs';
import { judged, median, ratios, rotated, spread } from '../../bench/statistics.mjs';
import { CONTENDERS, quickLoad, WORKS } from '../../bench/works.mjs';

test('the median is the middle one, or the mean of the middle two, and leaves the list as it was', () => {
  const values = [10, 9, 100];
  assert.equal(median(values), 10);
  assert.deepEqual(values, [10, 9, 100]);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(median([7]), 7);
});

test('the spread is that of the rounds which gave a figure', () => {
  assert.deepEqual(spread([3, undefined, 1, NaN, 2]), { median: 2, min: 1, max: 3 });
  assert.equal(spread([undefined, NaN]), null);
  assert.equal(spread([]), null);
});

test('a ratio is of one round, and is not there when either figure is not', () => {
  assert.deepEqual(ratios([10, 20, 30, 40], [5, undefined, 10]), [2, undefined, 3, undefined]);
});

test('each round begins with the next one and measures all', () => {
  const rounds = [0, 1, 2, 3].map((round) => rotated(['a', 'b', 'c'], round).join(''));
  assert.deepEqual(rounds, ['abc', 'bca', 'cab', 'abc']);
});

test('a target is met at its very value, and what it is short by is a part of it', () => {
  assert.deepEqual(judged(1.4, { at_least: 1.4 }), { met: true, short: 0 });
  assert.deepEqual(judged(3, { at_least: 4 }), { met: false, short: 0.25 });
  assert.deepEqual(judged(5, { at_most: 5 }), { met: true, short: 0 });
  assert.deepEqual(judged(15, { at_most: 10 }), { met: false, short: 0.5 });
});

test('server and load get the first two cores that this process may use', () => {
  assert.deepEqual(cpuList('2-4,8\n'), [2, 3, 4, 8]);
  assert.deepEqual(coresOf([2, 3, 4]), { server: 2, load: 3 });
  assert.equal(coresOf([5]), null);
});

test('a load becomes the options of onhand bench', () => {
  const load = { work: 'reserve', connections: 64, hot: true, spin: false };
  assert.deepEqual(benchArguments(load, { seconds: 5, warmup: 2 }),
    ['reserve', '--connections', '64', '--hot', '--seconds', '5', '--warmup', '2', '--json', '-']);
});

test('a result of nothing, with failed requests, or of a rate that was not reached, does not count', () => {
  const good = { requests: 1000, operations: 1000, errors: 0, unsent: 10 };
  assert.equal(checked(good), good);
  assert.throws(() => checked({ ...good, errors: 1, first_error: 'status 503' }), /1 of 1000 requests failed: status 503/);
  assert.throws(() => checked({ ...good, operations: 0 }), /nothing was answered/);
  assert.throws(() => checked({ ...good, unsent: 11 }), /rate was not reached/);
});

test('redis-benchmark chooses among the SKUs, or always the first when it is hot', () => {
  assert.deepEqual(benchmarkArguments({ connections: 64, skus: 10000 }, 500, 'abc'),
    ['--csv', '-n', '500', '-c', '64', '-r', '10000', 'EVALSHA', 'abc', '1', 'level:__rand_int__', '1']);
  assert.deepEqual(benchmarkArguments({ connections: 64, skus: 10000, hot: true }, 500, 'abc'),
    ['--csv', '-n', '500', '-c', '64', 'EVALSHA', 'abc', '1', 'level:000000000000', '1']);
});

test('the figures of redis-benchmark are read by the names of their columns', () => {
  const csv = '"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"\n'
    + '"EVALSHA abc 1 level:__rand_int__ 1","36101.08","1.712","0.512","1.663","2.407","3.503","12.159"\n';
  assert.deepEqual(parseRedisCsv(csv), { per_second: 36101.08, latency_us: { p50: 1663, p99: 3503, max: 12159 } });
  assert.throws(() => parseRedisCsv('Error from server: NOSCRIPT'), /no figures/);
});

test('the figures of pgbench are read, and a failed transaction fails the run', () => {
  const text = (failed) => `pgbench (15.8 (Debian 15.8-0+deb12u1))
transaction type: reserve.pgbench
scaling factor: 1
query mode: prepared
number of clients: 64
number of threads: 1
maximum number of tries: 1
duration: 5 s
number of transactions actually processed: 45210
number of failed transactions: ${failed} (0.000%)
latency average = 7.071 ms
initial connection time = 101.327 ms
tps = 9051.123456 (without initial connection time)
`;
  assert.deepEqual(parsePgbench(text(0)), { operations: 45210, failed: 0, per_second: 9051.123456, latency_us: { mean: 7071 } });
  assert.throws(() => parsePgbench(text(3)), /3 transactions failed/);
  assert.throws(() => parsePgbench('pgbench: error: connection failed'), /no figures/);
});

test('the constant answer of nginx is the very bytes', () => {
  assert.equal(quoted('{"message":"It\'s \\ here"}'), '{"message":"It\\\'s \\\\ here"}');
  assert.throws(() => quoted('5 $'), /dollar/);
});

test('every work names what there is: contenders, and entries in its comparisons', () => {
  assert.equal(new Set(WORKS.map(({ name }) => name)).size, WORKS.length);
  for (const { name, entries, compare, figures } of WORKS) {
    const names = entries.map((entry) => entry.name);
    assert.equal(new Set(names).size, names.length, name);
    assert.ok(entries.every(({ contender }) => contender in CONTENDERS), name);
    assert.ok(compare.every(({ of, to }) => names.includes(of) && (to === null || names.includes(to))), name);
    assert.ok(figures.length > 0, name);
  }
});

test('a quick load is small and is otherwise the same', () => {
  assert.deepEqual(quickLoad({ work: 'stream', streams: 10000, skus: 1, hot: true, rate: 2 }),
    { work: 'stream', streams: 100, skus: 1, hot: true, rate: 2 });
});

const PER_SECOND = { name: 'per second', path: 'per_second', unit: '', per: 1 };
const P99 = { name: 'p99', path: 'latency_us.p99', unit: 'ms', per: 1000 };
const WORK = {
  name: 'reserve-64', title: 'one line', bound: false, figures: [PER_SECOND, P99],
  entries: [{ name: 'onhand' }, { name: 'redis always' }, { name: 'nginx' }],
  compare: [
    { of: 'onhand', to: 'redis always', target: { at_least: 1.4 } },
    { of: 'onhand', to: 'nginx', target: { at_least: 0.85 } },
    { of: 'redis always', to: 'onhand', target: null },
    { of: 'onhand', to: null, target: { at_most: 4 }, figure: P99 },
  ],
};
const round = (per_second, p99) => ({ result: { per_second, latency_us: { p99 } } });
const RESULTS = {
  onhand: [round(40000, 5000), round(44000, 5100), round(42000, 4900)],
  'redis always': [round(20000, 3000), { failure: 'it did not start' }, round(28000, 4000)],
  nginx: [],
};

test('a work is summarized by entry and by comparison, and says what failed in which round', () => {
  const { figures, comparisons, failures } = summarized(WORK, RESULTS);
  assert.deepEqual(figures[0].figures[0], { name: 'per second', unit: '', median: 42000, min: 40000, max: 44000 });
  assert.equal(figures[2].figures[0].median, undefined);
  assert.deepEqual(comparisons.map(({ what, median: found }) => [what, found]),
    [['onhand / redis always', 1.75], ['onhand / nginx', undefined], ['redis always / onhand', (0.5 + 28 / 42) / 2], ['onhand: p99', 5]]);
  assert.deepEqual(comparisons.map(verdict), ['met', 'not measured', '', 'short by 25.0 %']);
  assert.deepEqual(failures, [{ entry: 'redis always', round: 2, failure: 'it did not start' }]);
});

test('a number has about three digits that count', () => {
  assert.deepEqual([42000.4, 123.4, 12.34, 1.234, 0.5, undefined].map(number), ['42,000', '123', '12.3', '1.23', '0.50', '-']);
});

test('a table is aligned, its numbers to the right', () => {
  assert.equal(table(['who', 'n'], [['a', '1,000'], ['long name', '2']]), [
    '| who       |     n |',
    '|-----------|------:|',
    '| a         | 1,000 |',
    '| long name |     2 |',
  ].join('\n'));
});

test('a work is printed with its figures, its comparisons and its failures', () => {
  assert.equal(renderWork(summarized(WORK, RESULTS)), `## reserve-64: one line (both)

| contender    | per second |       min to max | p99, ms |   min to max |
|--------------|-----------:|-----------------:|--------:|-------------:|
| onhand       |     42,000 | 40,000 to 44,000 |    5.00 | 4.90 to 5.10 |
| redis always |     24,000 | 20,000 to 28,000 |    3.50 | 3.00 to 4.00 |
| nginx        |          - |                - |       - |            - |

| compared              |  median |   min to max |          target |                 |
|-----------------------|--------:|-------------:|----------------:|----------------:|
| onhand / redis always |    1.75 | 1.50 to 2.00 |   at least 1.40 |             met |
| onhand / nginx        |       - |            - |   at least 0.85 |    not measured |
| redis always / onhand |    0.58 | 0.50 to 0.67 |                 |                 |
| onhand: p99           | 5.00 ms | 4.90 to 5.10 | at most 4.00 ms | short by 25.0 % |

- redis always, round 2: it did not start`);
});

test('the targets of all works stand together, those without one left out', () => {
  const lines = renderTargets([summarized(WORK, RESULTS)]).split('\n').slice(4);
  assert.deepEqual(lines.map((line) => line.split('|')[1].trim()),
    ['reserve-64: onhand / redis always', 'reserve-64: onhand / nginx', 'reserve-64: onhand: p99']);
  assert.equal(renderTargets([summarized({ ...WORK, compare: [] }, RESULTS)]), '');
});

test('the facts name what is not there and why', () => {
  assert.equal(renderMachine({ kernel: 'Linux 6' }, { nginx: 'spawn nginx ENOENT' }),
    '# Benchmarks\n\n- kernel: Linux 6\n- not measured: nginx: spawn nginx ENOENT');
});
