/*
 * Network namespaces, one for each node, on a bridge: a node can be unplugged, so that what it sends and what is sent to it
 * vanishes and nobody is told. Needs root, and a kernel that lets it.
 */
import { spawnSync } from 'node:child_process';

const SUBNETS = 200;

const ip = (...args) => spawnSync('ip', args, { encoding: 'utf8' });

function must(...args) {
  const { status, stderr, error } = ip(...args);
  if (status !== 0) {
    throw new Error(`ip ${args.join(' ')}: ${error ?? stderr}`);
  }
}

export class Network {
  constructor(names) {
    this.id = process.pid % 100000;
    this.bridge = `oh${this.id}`;
    this.subnet = `10.213.${this.id % SUBNETS}`;
    this.host = `${this.subnet}.1`;
    this.names = names;
    this.leave = () => this.close();
    process.on('exit', this.leave);
  }

  namespace(name) {
    return `onhand-${this.id}-${name}`;
  }

  plug(name) {
    return `oh${this.id}${name}`;
  }

  open() {
    must('link', 'add', this.bridge, 'type', 'bridge');
    must('addr', 'add', `${this.host}/24`, 'dev', this.bridge);
    must('link', 'set', this.bridge, 'up');
    this.names.forEach((name, at) => {
      const namespace = this.namespace(name);
      must('netns', 'add', namespace);
      must('link', 'add', this.plug(name), 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
      must('link', 'set', this.plug(name), 'master', this.bridge, 'up');
      must('-n', namespace, 'addr', 'add', `${this.subnet}.${at + 2}/24`, 'dev', 'eth0');
      must('-n', namespace, 'link', 'set', 'eth0', 'up');
      must('-n', namespace, 'link', 'set', 'lo', 'up');
    });
  }

  placeOf(name) {
    return { host: `${this.subnet}.${this.names.indexOf(name) + 2}`, wrap: ['ip', 'netns', 'exec', this.namespace(name)] };
  }

  unplug(name) {
    must('link', 'set', this.plug(name), 'nomaster');
  }

  plugIn(name) {
    must('link', 'set', this.plug(name), 'master', this.bridge);
  }

  /* Also when it was made in part. */
  close() {
    process.off('exit', this.leave);
    for (const name of this.names) {
      ip('link', 'del', this.plug(name));
      ip('netns', 'del', this.namespace(name));
    }
    ip('link', 'del', this.bridge);
  }
}

/* Why there can be none here; false: there can. */
export function whyNoNetwork() {
  const trial = new Network(['try']);
  try {
    trial.open();
    return false;
  } catch (error) {
    return `no network namespaces here: ${error.message.trim()}`;
  } finally {
    trial.close();
  }
}
