# One image per service: docker build --build-arg SERVICE=vad -t voxbus/vad .
FROM python:3.11-slim AS build
ARG SERVICE
WORKDIR /src
COPY requirements/*.lock requirements/
RUN python -m venv /opt/voxbus \
 && /opt/voxbus/bin/pip install --no-cache-dir --require-hashes -r requirements/base.lock
# An engine is installed only where it runs: Silero's runtime beside vad, espeak-ng (GPL-3) beside tts-worker.
RUN case "${SERVICE}" in vad) extra=silero ;; tts-worker) extra=voice-espeak ;; *) exit 0 ;; esac \
 && /opt/voxbus/bin/pip install --no-cache-dir --require-hashes -r "requirements/${extra}.lock"
COPY libs/ libs/
COPY services/${SERVICE}/ services/${SERVICE}/
RUN rm -rf libs/testing \
 && /opt/voxbus/bin/pip install --no-cache-dir --no-index --no-deps --no-build-isolation ./libs/* "./services/${SERVICE}"

FROM python:3.11-slim
ARG SERVICE
RUN test -n "${SERVICE}" \
 && useradd --system --uid 10001 --home-dir /var/lib/voxbus --shell /usr/sbin/nologin voxbus \
 && install -d -o voxbus -g voxbus -m 0700 /var/lib/voxbus /var/lib/voxbus/objects
COPY --from=build /opt/voxbus /opt/voxbus
ENV PATH=/opt/voxbus/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    SERVICE=${SERVICE} \
    VOXBUS_DATA_DIR=/var/lib/voxbus \
    VOXBUS_GRPC_PORT=50051
USER voxbus
WORKDIR /var/lib/voxbus
VOLUME /var/lib/voxbus
# The control port listens on the address it is announced by: the container's own.
CMD ["sh", "-c", "export VOXBUS_GRPC_HOST=\"${VOXBUS_GRPC_HOST:-$(hostname -i | cut -d' ' -f1)}\"; exec python -m \"voxbus_$(echo \"$SERVICE\" | tr - _)\""]
