# Print the Python to build the environment with. A name that is found may still not run (version
# managers leave such names behind), so each is tried. What is printed is the interpreter behind any
# virtual environment, so that .venv never makes itself. PYTHON=/path/to/python overrides the search.
set -u
probe='import os, sys, venv, ensurepip
if sys.version_info[:2] not in ((3, 11), (3, 12)):
    sys.exit(1)
print(os.path.realpath(sys.executable))'
for name in ${PYTHON:-python3.11 python3.12 python3}; do
  if found="$("$name" -c "$probe" 2>/dev/null)"; then
    echo "$found"
    exit 0
  fi
done
cat >&2 <<'MESSAGE'
No usable Python: version 3.11 or 3.12 with its venv module is needed.
  -> Debian or Ubuntu: apt-get install python3 python3-venv; elsewhere install Python 3.12;
     or name one: make demo PYTHON=/path/to/python3.12
MESSAGE
exit 2
