# Sourced by every script here: stand in the repository's root, with .venv's programs first on PATH.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$PWD/.venv/bin:$PATH" PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
unset PYTHONHOME PYTHONPATH DJANGO_SETTINGS_MODULE

# install requirements.txt [requirements-dev.txt ...]: the last one names everything, the others are then installed too.
install() {
    local list="${!#}" name
    installed "$list" && return
    venv_works || make_venv
    echo "Installing $list ..." >&2
    # Without --no-compile pip compiles every module of every package; Python compiles the few it imports anyway.
    .venv/bin/python -m pip install --quiet --no-compile --prefer-binary --require-hashes -r "$list"
    for name in "$@"; do fingerprint "$name" > ".venv/installed-$name"; done
}

installed() { fingerprint "$1" | cmp -s - ".venv/installed-$1" && venv_works; }

# The directory belongs in it: programs in .venv/bin name the place they were made in.
fingerprint() { pwd && cat "$1"; }

venv_works() { [ -e .venv/bin/python ] && .venv/bin/python -c 'import pip' 2> /dev/null && head -1 .venv/bin/pip | grep -qF "$PWD/"; }

make_venv() {
    local python
    python=$(find_python) || install_python
    python=${python:-$(find_python)}
    echo "Making .venv with $("$python" --version) ..." >&2
    [ ! -L .venv ] || rm .venv  # --clear would empty what the link points to
    "$python" -m venv --clear .venv
}

find_python() {
    local name
    for name in python3.11 python3.12 python3.13 python3.14 python3; do
        "$name" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2> /dev/null || continue
        echo "$name" && return
    done
    return 1
}

install_python() {
    if ! is_root_on_debian; then
        echo "Python 3.11 or newer with its venv module is needed (on Debian and Ubuntu: apt install python3-venv)." >&2
        exit 1
    fi
    apt_install python3-venv
}

is_root_on_debian() { [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; }

apt_install() {
    echo "Installing $* ..." >&2
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } > /dev/null < /dev/null
}

# New random keys as NAME=value lines: for a development .env, and for checks that want a complete environment.
random_keys() {
    .venv/bin/python - << 'PYTHON'
import base64
import secrets

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

signs = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
print(f"SECRET_KEY={secrets.token_urlsafe(50)}")
print(f"CODE_KEYS={secrets.token_hex(32)}")
print(f"FINGERPRINT_KEYS={secrets.token_hex(32)}")
print(f"VAULT_KEYS={base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()}")
print(f"TOKEN_KEYS={base64.urlsafe_b64encode(signs).decode()}")
PYTHON
}

# What a variable says, in the environment, else in .env.
setting() { python -c 'import os, sys, storefront; print(os.environ.get(sys.argv[1], ""))' "$1"; }

# The .env of a developer; ENV_FILE may name another file, or none. One that stands gets the keys that are new since.
ensure_env() {
    if [ "${ENV_FILE-.env}" != .env ]; then return; fi
    if [ -e .env ]; then
        ! grep -qs '^DEBUG=1' .env || add_new_keys .env
        return
    fi
    (
        umask 077
        {
            echo "# Written for development. .env.example says what else may stand here."
            echo "DEBUG=1"
            random_keys
        } > .env.new
    )
    mv .env.new .env
    echo "Wrote .env with new keys for development." >&2
}

# add_new_keys FILE
add_new_keys() {
    local line
    while read -r line; do
        grep -qs "^${line%%=*}=" "$1" && continue
        [ -z "$(tail -c 1 "$1")" ] || echo >> "$1"
        echo "$line" >> "$1"
        echo "Added ${line%%=*} to $1." >&2
    done < <(random_keys)
}
