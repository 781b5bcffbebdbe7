"""How gunicorn serves LLMRack. It reads settings and imports nothing of the application, and does not preload it:
gevent patches the standard library in each worker, after the fork, and whatever had imported ssl or a database
driver before that would keep blocking the whole worker.
"""

import gc
import sys
from pathlib import Path

from dotenv import load_dotenv

from llmrack import deployment, settings
from llmrack.errors import CannotStart
from llmrack.logs import JsonFormatter
from llmrack.monitoring.figures import Arena
from server.arbiter import Arbiter

# The database, its log and the kept secret are for this user alone.
umask = 0o077
load_dotenv(Path(__file__).with_name(".env"))
try:
    _settings = settings.load()
    deployment.check_deployment(_settings)
except CannotStart as exc:
    print(f"LLMRack cannot start: {exc}", file=sys.stderr)
    sys.exit(1)

bind = deployment.bind(_settings)
worker_class = "server.worker.Worker"
workers = _settings.workers
worker_connections = _settings.worker_connections
backlog = 4096
graceful_timeout = _settings.graceful_timeout_s
# The worker's own heartbeat, not a request's: a stream of any length lives while the worker is alive.
timeout = 120
# Also bounds how slowly a request's head may arrive; 0 would remove that bound.
keepalive = 5
limit_request_line = 4094
limit_request_fields = 60
# Recycling a worker would cut its streams.
max_requests = 0
# All workers accept from one queue. With a queue each (SO_REUSEPORT), what waits in that of a worker that dies is lost,
# and a worker that starts is given connections before it can answer.
reuse_port = False
preload_app = False
# Which proxies are believed is LLMRACK_TRUSTED_PROXIES' business, in one place.
forwarded_allow_ips = ""
control_socket_disable = True
accesslog = None
errorlog = "-"
loglevel = "warning"


def nworkers_changed(server, new, old):
    """The command line, GUNICORN_CMD_ARGS and TTIN set the number of workers past the settings; the same rules hold."""
    try:
        deployment.check_workers(_settings, new)
    except CannotStart as exc:
        if old is None:
            print(f"LLMRack cannot start: {exc}", file=sys.stderr)
            sys.exit(1)
        server.log.error("still %s workers: %s", old, exc)
        # The number itself; its property would ask here again.
        server._num_workers = old


def on_starting(server):
    """Hand over from worker to worker without a pause, and make gunicorn's own lines like the application's: JSON,
    without secrets."""
    server.__class__ = Arbiter
    # Before any fork, so that all workers share it; a reload has twice as many for a while.
    server.arena = Arena(2 * _settings.workers + 32) if _settings.metrics else None
    for handler in server.log.error_log.handlers:
        handler.setFormatter(JsonFormatter())


def pre_fork(server, worker):
    if server.arena is not None:
        worker.arena, worker.area = server.arena, server.arena.take()


def child_exit(server, worker):
    if server.arena is not None:
        server.arena.retire(worker.area)


def post_worker_init(worker):
    """Tell the application which worker it runs in, so that streams end in a known way when that worker stops, and
    start the background work, which a process that only runs a command has no use for."""
    from blueprints.extensions import watch
    from server import background, responses

    watch.follow_worker(lambda: not worker.alive, _settings.graceful_timeout_s)
    context = worker.wsgi.extensions["llmrack"]
    if context.figures is not None and getattr(worker, "area", 0):
        context.figures.share(worker.arena, worker.area)
    context.store.share_commits()
    context.engines.live_features.features()
    background.start_all(worker.wsgi)
    responses.install(worker.cfg, _settings.write_timeout_s)
    # Behind a proxy every connection has the proxy's address, and bounding clients is the proxy's business.
    worker.bound_addresses(0 if _settings.trusted_proxies else _settings.connections_per_address)
    # What is loaded now lives as long as the worker: the collector need not look at it again.
    gc.collect()
    gc.freeze()
