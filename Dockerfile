# syntax=docker/dockerfile:1
# One image for the webserver, the daemon and the code location (docker-compose.yml says which).
#   docker build -t kadr:cpu .
#   docker build -t kadr:gpu --build-arg VARIANT=gpu .
ARG PYTHON=3.12
FROM python:${PYTHON}-slim-bookworm AS build
ARG VARIANT=cpu
# PyTorch's index of CPU wheels, which keeps CUDA (3 GB) out of the CPU image.
ARG TORCH_INDEX=""
# More packages, by their names in pyproject.toml: "dagster-k8s dagster-ray" for clusters.
ARG EXTRAS=""
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PATH=/opt/kadr/bin:$PATH
WORKDIR /app
RUN python -m venv /opt/kadr
COPY requirements/kadr.lock requirements/
# torch first and with its own dependencies: those differ between its CPU and CUDA builds. The lock
# lists everything, so it is installed without resolving.
RUN pip install "torch==$(sed -n 's/^torch==//p' requirements/kadr.lock)" \
        -c requirements/kadr.lock ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} \
 && pip install --no-deps -r requirements/kadr.lock
# Each pair owns one module, so the CPU builds go first.
RUN if [ "$VARIANT" = gpu ]; then \
        pip uninstall -y faiss-cpu onnxruntime \
     && pip install -c requirements/kadr.lock \
            "faiss-gpu-cu12>=1.14" "onnxruntime-gpu[cuda,cudnn]>=1.24" "openai-whisper>=20250625"; \
    fi
COPY pyproject.toml README.md LICENSE dagster.yaml workspace.yaml workspace.docker.yaml ./
COPY ml ml
COPY assets assets
COPY orchestration orchestration
COPY sql sql
COPY samples samples
RUN if [ -n "$EXTRAS" ]; then \
        pip install -c requirements/kadr.lock \
            $(for name in $EXTRAS; do grep -o "$name==[0-9.]*" pyproject.toml; done); \
    fi \
 && pip install --no-deps -e . \
 && python -m compileall -q ml assets orchestration sql samples


FROM python:${PYTHON}-slim-bookworm
RUN apt-get update \
 && apt-get install -y --no-install-recommends tesseract-ocr-rus \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --create-home --shell /usr/sbin/nologin kadr \
 && install -d -o kadr -g kadr /data /state /models
COPY --from=build /opt/kadr /opt/kadr
COPY --from=build /app /app
ENV PATH=/opt/kadr/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    OMP_NUM_THREADS=1 \
    TOKENIZERS_PARALLELISM=false \
    HF_HOME=/models \
    KADR_DATA=/data \
    KADR_STATE=/state \
    DAGSTER_HOME=/state/dagster \
    DAGSTER_CODE_HOST=code \
    DAGSTER_CODE_PORT=4000
WORKDIR /app
USER 10001:10001
VOLUME ["/data", "/state", "/models"]
EXPOSE 3000 4000
# Writes /state/dagster/dagster.yaml, then becomes the command.
ENTRYPOINT ["python", "-m", "orchestration.instance"]
CMD ["dagster", "api", "grpc", "-h", "0.0.0.0", "-p", "4000", "-m", "orchestration.definitions"]
HEALTHCHECK --interval=30s --timeout=20s --start-period=60s --retries=3 \
    CMD ["dagster", "api", "grpc-health-check", "-p", "4000"]
