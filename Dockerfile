# tbg with all its plugins on the CPU: `docker build -t tbg .`, then `docker run --rm tbg doctor`.
# Two stages: pip and its leftovers stay in the first one.
ARG PYTHON=3.11
FROM python:${PYTHON}-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# The CPU build of torch: the default one brings gigabytes of CUDA along.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN python -m venv /opt/tbg
ENV PATH=/opt/tbg/bin:$PATH
WORKDIR /src
COPY constraints.txt ./
RUN pip install --constraint constraints.txt --extra-index-url ${TORCH_INDEX} torch setuptools wheel
COPY pyproject.toml README.md LICENSE ./
COPY tbg_core ./tbg_core
COPY plugins ./plugins
# One call, so that pip takes tbg-core from here; not editable, so that /src can be left behind.
RUN pip install --constraint constraints.txt --extra-index-url ${TORCH_INDEX} --no-build-isolation \
        ".[trajectories]" $(for p in plugins/*/pyproject.toml; do echo "./$(dirname "$p")"; done) \
    && find /opt/tbg -name __pycache__ -type d -prune -exec rm -rf {} +

FROM python:${PYTHON}-slim
COPY --from=build /opt/tbg /opt/tbg
RUN useradd --create-home --uid 1000 tbg && mkdir /work && chown tbg /work
USER tbg
# MPLCONFIGDIR: a writable place, whichever user is asked for by --user.
ENV PATH=/opt/tbg/bin:$PATH PYTHONDONTWRITEBYTECODE=1 MPLCONFIGDIR=/tmp/matplotlib
WORKDIR /work
ENTRYPOINT ["tbg"]
CMD ["--help"]
