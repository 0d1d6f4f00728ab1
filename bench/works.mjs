/*
 * What is measured, and what is to come of it: a row each.
 *
 * A work has entries, who does it and under which load, all of which are measured in each round, one after the other. A
 * load is the options of `onhand bench`. `bound` works have the server on one core and the load on another; in the
 * others both may use all. The first figure is the one that ratios and limits are of unless they name another.
 */
import * as bare from './contenders/bare.mjs';
import * as nchan from './contenders/nchan.mjs';
import * as nginx from './contenders/nginx.mjs';
import * as onhand from './contenders/onhand.mjs';
import * as onhandPostgres from './contenders/onhand_postgres.mjs';
import * as postgres from './contenders/postgres.mjs';
import * as redis from './contenders/redis.mjs';

export const CONTENDERS = { onhand, bare, nginx, nchan, 'redis always': redis.always, 'redis everysec': redis.everysec, postgres, 'onhand on postgres': onhandPostgres };

/* Where a figure is in what was measured, and how many of what was measured are one of its unit. */
const FIGURES = {
  rate: { name: 'per second', path: 'per_second', unit: '', per: 1 },
  p99: { name: 'p99', path: 'latency_us.p99', unit: 'ms', per: 1000 },
  frames: { name: 'frames per second', path: 'stream.frames_per_second', unit: '', per: 1 },
  last: { name: 'last one reached, p50', path: 'stream.last_us.p50', unit: 'ms', per: 1000 },
  push: { name: 'push p99', path: 'stream.push_us.p99', unit: 'ms', per: 1000 },
  resident: { name: 'resident', path: 'recover.resident_bytes', unit: 'MB', per: 1000000 },
  ready: { name: 'ready', path: 'recover.ready_ms', unit: 's', per: 1000 },
  streams: { name: 'streams', path: 'streams', unit: '', per: 1 },
  stream_memory: { name: 'memory of a stream', path: 'bytes_per_stream', unit: 'KiB', per: 1024 },
};

const entry = (contender, variant = '', load = {}) => ({ name: `${contender} ${variant}`.trim(), contender, load });
const ratio = (of, to, target = null) => ({ of, to, target });
const limit = (of, target, figure = null) => ({ of, to: null, target, figure });

const MILLION = { skus: 100000, locations: 10 };

function reserve(connections, bound) {
  const hot = { hot: true };
  const goal = (target) => (bound ? null : target); /* the targets are for a machine that is shared */
  return {
    name: `reserve-${connections}${bound ? '-bound' : ''}`,
    title: `one line reserved, 10,000 SKUs or one that is hot, ${connections} connections`,
    bound, figures: [FIGURES.rate, FIGURES.p99], load: { work: 'reserve', connections, skus: 10000 },
    entries: [entry('onhand'), entry('redis always'), entry('redis everysec'), entry('postgres'), entry('bare'), entry('onhand on postgres'),
      entry('onhand', 'hot', hot), entry('redis always', 'hot', hot), entry('postgres', 'hot', hot), entry('onhand on postgres', 'hot', hot)],
    compare: [ratio('onhand', 'redis always', goal({ at_least: 1.4 })), ratio('onhand', 'redis everysec'), ratio('onhand', 'postgres'), ratio('bare', 'redis always'),
      ratio('onhand hot', 'onhand', goal({ at_least: 0.95 })), ratio('onhand hot', 'redis always hot'),
      ratio('onhand hot', 'postgres hot', goal({ at_least: 20 })), ratio('onhand on postgres', 'postgres', goal({ at_least: 2 })),
      ratio('onhand on postgres hot', 'postgres hot', goal({ at_least: 15 }))],
  };
}

export const WORKS = [
  {
    name: 'read', title: 'one availability of 100,000 SKUs, 64 connections; nginx answers with a constant',
    bound: true, figures: [FIGURES.rate, FIGURES.p99], load: { work: 'read', connections: 64, skus: 100000, spin: true },
    entries: [entry('onhand'), entry('nginx'), entry('bare')],
    compare: [ratio('onhand', 'nginx', { at_least: 0.85 }), ratio('bare', 'nginx'), ratio('onhand', 'bare')],
  },
  reserve(64, false),
  reserve(256, false),
  reserve(64, true),
  reserve(256, true),
  {
    name: 'batch', title: 'reservations in requests of 100, 64 connections, 10,000 SKUs',
    bound: false, figures: [FIGURES.rate], load: { work: 'batch', connections: 64, skus: 10000, operations: 100 },
    entries: [entry('onhand')],
    compare: [limit('onhand', { at_least: 150000 })],
  },
  {
    name: 'reserve-half', title: 'a reservation at half of the peak, open loop, 256 connections, 10,000 SKUs',
    bound: false, figures: [FIGURES.p99, FIGURES.rate], load: { work: 'reserve at half of peak', connections: 256, skus: 10000 },
    entries: [entry('onhand')],
    compare: [limit('onhand', { at_most: 5 })],
  },
  {
    name: 'stream-1000', title: 'changes of one SKU to 1,000 streams, as fast as they go',
    bound: true, figures: [FIGURES.frames, FIGURES.last], load: { work: 'stream', connections: 4, streams: 1000, skus: 1, hot: true },
    entries: [entry('onhand'), entry('nchan'), entry('bare')],
    compare: [ratio('onhand', 'nchan', { at_least: 2.5 }), ratio('bare', 'nchan')],
  },
  {
    name: 'stream-10000', title: 'changes of one SKU to 10,000 streams, two a second',
    bound: true, figures: [FIGURES.last], load: { work: 'stream', connections: 4, streams: 10000, skus: 1, hot: true, rate: 2 },
    entries: [entry('onhand'), entry('nchan'), entry('bare')],
    compare: [ratio('onhand', 'nchan', { at_most: 0.6 }), ratio('bare', 'nchan')],
  },
  {
    name: 'push', title: 'commit to push: 5,000 changes/s over 10,000 SKUs, 500 streams of 20 SKUs each',
    bound: true, figures: [FIGURES.push, FIGURES.frames], load: { work: 'stream', rate: 5000, skus: 10000, streams: 500, follow: 20 },
    entries: [entry('onhand')],
    compare: [limit('onhand', { at_most: 10 })],
  },
  {
    name: 'mixed', title: '95 % reads, 4 % reservations, 1 % adjustments, 1,000 streams open, 64 connections, 10,000 SKUs',
    bound: false, figures: [FIGURES.rate, FIGURES.p99], load: { work: 'mixed', connections: 64, skus: 10000, streams: 1000 },
    entries: [entry('onhand')],
    compare: [],
  },
  {
    name: 'million-start', title: 'start with 1,000,000 levels: 100,000 SKUs at 10 locations',
    bound: false, figures: [FIGURES.resident, FIGURES.ready], load: { work: 'recover', ...MILLION },
    entries: [entry('onhand')],
    compare: [limit('onhand', { at_most: 250 }), limit('onhand', { at_most: 3 }, FIGURES.ready)],
  },
  {
    name: 'million-read', title: 'reads with 1,000,000 levels, against 100,000',
    bound: true, figures: [FIGURES.rate], load: { work: 'read', connections: 64, skus: 100000, spin: true },
    entries: [entry('onhand'), entry('onhand', 'million', MILLION)],
    compare: [ratio('onhand million', 'onhand', { at_least: 0.8 })],
  },
  {
    name: 'million-reserve', title: 'reservations with 1,000,000 levels, against 10,000',
    bound: false, figures: [FIGURES.rate], load: { work: 'reserve', connections: 64, skus: 10000 },
    entries: [entry('onhand'), entry('onhand', 'million', MILLION)],
    compare: [ratio('onhand million', 'onhand', { at_least: 0.8 })],
  },
  {
    name: 'idle', title: 'memory of the server for each stream on which nothing happens',
    bound: false, figures: [FIGURES.stream_memory, FIGURES.streams], load: { work: 'idle', streams: 20000 },
    entries: [entry('onhand'), entry('nchan')],
    compare: [limit('onhand', { at_most: 12 }), ratio('onhand', 'nchan')],
  },
];

/* Enough to see that everything runs. */
const QUICK = { skus: 500, streams: 100, rate: 500 };

export const quickLoad = (load) =>
  Object.fromEntries(Object.entries(load).map(([name, value]) => [name, name in QUICK ? Math.min(value, QUICK[name]) : value]));
