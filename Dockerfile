# One image for the web, the worker and beat: compose.yaml says which is which.
FROM python:3.11-slim
WORKDIR /srv/storefront
ENV PYTHONUNBUFFERED=1 HOST=0.0.0.0
COPY requirements.txt .
RUN pip install --no-cache-dir --no-compile --require-hashes -r requirements.txt
COPY . .
# Django wants keys to begin at all; these make static files and are in no process that runs.
RUN SECRET_KEY=static CODE_KEYS=00 FINGERPRINT_KEYS=00 SITE_URL=https://static.example \
    python manage.py collectstatic --no-input --verbosity 0 \
    && useradd --system --no-create-home shop \
    && chown -R shop var staticfiles
USER shop
EXPOSE 8000
CMD ["python", "-m", "storefront.serve"]
