"""How gunicorn serves the site. It finds this file by its name; the number of processes is WEB_CONCURRENCY."""

import os

from storefront.observability.access_log import AccessLogger

wsgi_app = "storefront.wsgi"
bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
threads = int(os.environ.get("WEB_THREADS", "4"))
accesslog = "-"
logger_class = AccessLogger
