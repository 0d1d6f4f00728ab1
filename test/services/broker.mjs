/*
 * The broker between the two services, of any kind that is in Debian: NATS, Redis or RabbitMQ, with its data in a directory
 * of its own. It dies, loses what it has kept, stands still, and comes back at the same address.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { Process, freePort, until } from '../../demo/processes.mjs';

const START_MS = 120000; /* RabbitMQ needs half a minute on a busy machine */
const RABBITMQ = '/usr/lib/rabbitmq/bin/rabbitmq-server';

const KINDS = {
  nats: {
    ready: /Server is ready/,
    argv: ({ address, port, data }) => ['nats-server', '-a', address, '-p', String(port), '-js', '-sd', data],
  },
  redis: {
    ready: /Ready to accept connections/,
    argv: ({ address, port, data }) => ['redis-server', '--bind', address, '--protected-mode', 'no', '--port', String(port), '--dir', data,
      '--appendonly', 'yes', '--save', ''],
  },
  amqp: {
    ready: /Server startup complete/,
    /* An environment of its own: no files of the machine, and one process, which the test knows. */
    argv: ({ address, port, data, ports }) => ['env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', `HOME=${data}`, `ERL_EPMD_PORT=${ports.names}`,
      `RABBITMQ_NODENAME=onhand${port}@localhost`, `RABBITMQ_NODE_IP_ADDRESS=${address}`, `RABBITMQ_NODE_PORT=${port}`,
      `RABBITMQ_DIST_PORT=${ports.distribution}`, `RABBITMQ_MNESIA_BASE=${data}/mnesia`, 'RABBITMQ_LOGS=-', 'RABBITMQ_CONF_ENV_FILE=/dev/null',
      `RABBITMQ_CONFIG_FILE=${data}/none`, `RABBITMQ_ENABLED_PLUGINS_FILE=${data}/none`, 'RABBITMQ_ALLOW_INPUT=true',
      'RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-noinput +sbwt none +sbwtdcpu none +sbwtdio none', RABBITMQ],
    /* epmd, without which RabbitMQ would leave one behind. */
    beside: ({ ports }) => ['epmd', '-address', '127.0.0.1', '-port', String(ports.names)],
  },
};

export class Broker {
  /* `address`: where it listens; `host`: how it is reached. */
  static async start({ kind, root, address, host }) {
    const broker = new Broker();
    const ports = { names: await freePort(), distribution: await freePort() };
    Object.assign(broker, { kind, address, ports, port: await freePort(), data: path.join(root, kind) });
    broker.url = `${kind}://${host}:${broker.port}`;
    broker.process = new Process(kind, KINDS[kind].argv(broker));
    if (KINDS[kind].beside !== undefined) {
      broker.beside = new Process('epmd', KINDS[kind].beside(broker));
      broker.beside.start();
    }
    await broker.begin();
    return broker;
  }

  /* Until it takes connections. */
  async begin() {
    fs.mkdirSync(this.data, { recursive: true });
    this.process.log = '';
    this.process.start();
    await until(() => KINDS[this.kind].ready.test(this.process.log), this.kind, START_MS);
  }

  kill() {
    return this.process.kill('SIGKILL');
  }

  /* While it is away: it comes back with nothing. */
  wipe() {
    assert.ok(!this.process.runs);
    fs.rmSync(this.data, { recursive: true });
  }

  async stop() {
    await this.kill();
    await this.beside?.kill('SIGKILL');
  }
}
