"""The check as it runs: time, programs, and the rows of the table."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time

from steps import CIDER, STEPS, Absent, Failed

COLUMNS = ("step", "what", "CPU", "GPU", "difference", "limit", "result")


class Check:
    def __init__(self, options, machine, folder):
        self.options, self.machine, self.folder = options, machine, folder
        self.columns = ("CPU", "CPU again" if machine.is_cpu_only else "GPU")
        self.scenes = folder / "scenes"
        self.photos = sorted(path for path in options.photos.iterdir() if path.suffix == ".jpg") if options.photos else []
        self.threads = len(os.sched_getaffinity(0))
        self.rows, self.steps, self.speeds = [], [], {}
        self.absences = list(machine.absences())
        self.step, self.step_end = None, None
        self.end = time.monotonic() + 60 * options.minutes

    # The table

    def row(self, what, cpu=None, gpu=None, difference=None, limit=None, passed=None):
        """Adds a row. `passed` is `None` for a value that nothing depends on."""
        result = {None: "", True: "pass", False: "FAIL"}[passed]
        self._add(what, cpu, gpu, difference, limit, result)

    def note(self, what, value):
        self._add(what, str(value) if value is not None else "none", None, None, None, "")

    def problem(self, what, error):
        """Adds a row for a part that failed, or cannot run here."""
        result = "absent" if isinstance(error, Absent) else "FAIL"
        self._add(what, str(error), None, None, None, result)

    def compare(self, what, first, second, limit):
        """Compares two values; `limit` is relative to the first one."""
        difference = abs(second - first) / max(abs(first), 1e-9)
        self.row(what, first, second, difference, limit, difference <= limit)

    def compare_cider(self, what, first, second):
        first, second = (epoch["dev"]["CIDEr"] for epoch in (first, second))
        difference = abs(second - first)
        self.row(what, first, second, difference, CIDER, difference <= CIDER)

    def compare_speed(self, what, first, second):
        """Reports two speeds or times, and how many times the first the second is."""
        self.speeds[what] = (first, second)
        if (first, second) != (None, None):
            self.row(what, first, second, f"×{second / first:.2f}" if first and second else None)

    def _add(self, *values):
        row = dict(zip(COLUMNS, (self.step, *values)))
        self.rows.append(row)
        print("  " + "  ".join(shown(value) for value in row.values() if value not in (None, "")), file=sys.stderr)

    # Parts that a step needs

    def found(self, part):
        """Takes back an absence: a program finds the part by itself."""
        self.absences = [absence for absence in self.absences if absence[0] != part]

    def encoder(self):
        if self.machine.encoder is None:
            raise Absent("no encoder")
        return self.machine.encoder

    def store(self):
        """The store of the scenes that the CPU encoded."""
        store = self.folder / "scenes-0.h5"
        if not store.is_file():
            raise Absent("no store of scenes")
        return store

    def require_runtime(self, device):
        if device == "cuda" and self.machine.runtime_with_cuda is None:
            raise Absent("no ONNX Runtime with CUDA")

    def require_libtorch(self, device):
        libtorch = self.machine.libtorch
        if device == "cuda" and libtorch and not (libtorch / "lib/libtorch_cuda.so").is_file():
            raise Absent("no libtorch with CUDA")

    def run_folder(self, recipe, name):
        return self.folder / "runs" / f"{recipe}-{name}"

    # Programs

    def left(self):
        """Seconds that the step has left."""
        return max(0.1, self.step_end - time.monotonic())

    def run(self, program, arguments, device="cpu", stdin=None):
        path = self.machine.programs[program]
        if path is None:
            raise Absent(f"no program {program}")
        return self.execute([str(path), *arguments], self.machine.environment(program, device), stdin)

    def execute(self, command, environment=None, stdin=None):
        """Runs a command to its end, or until the time of the step is over."""
        what = " ".join(command[:2])
        seconds = self.left()
        try:
            ran = subprocess.run(
                command, env=environment, input=stdin, capture_output=True, text=True, timeout=seconds, check=False, cwd=self.folder
            )
        except subprocess.TimeoutExpired:
            raise Failed(f"{what}: stopped after {seconds:.0f} s: the time of the step is over") from None
        except OSError as error:
            raise Failed(f"{what}: {error}") from None
        if ran.returncode:
            raise Failed(f"{what}: exit status {ran.returncode}: {last_lines(ran.stderr)}")
        return ran

    def fit(self, run, device, flags):
        self.require_libtorch(device)
        data = ["--captions", str(self.scenes / "captions.txt"), "--store", str(self.store())]
        self.run("train", ["fit", *data, "--run", str(run), "--device", device, *flags], device)

    def metrics(self, run):
        """The records of a run's epochs."""
        return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]

    @contextlib.contextmanager
    def start(self, program, arguments, device):
        """Starts a server, whose address is the first line that it prints, and stops it."""
        path = self.machine.programs[program]
        if path is None:
            raise Absent(f"no program {program}")
        log = self.folder / f"{program}-{device}.log"
        with log.open("w") as stderr:
            server = subprocess.Popen(
                [str(path), *arguments], env=self.machine.environment(program, device), stdout=subprocess.PIPE,
                stderr=stderr, text=True,
            )
        try:
            ready, _, _ = select.select([server.stdout], [], [], self.left())
            address = server.stdout.readline().strip() if ready else ""
            if not address.startswith("http"):
                raise Failed(f"{program} did not start: {last_lines(log.read_text())}")
            yield address
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()

    # The whole

    def run_steps(self):
        shares = [share for _, _, share in STEPS]
        for at, (name, step, share) in enumerate(STEPS):
            start = time.monotonic()
            self.step = name
            self.step_end = start + max(0, self.end - start) * share / sum(shares[at:])
            print(f"{name}: up to {self.left():.0f} s", file=sys.stderr)
            before = len(self.rows)
            try:
                step(self)
            # A step must not stop the others, whatever a file or an answer contains.
            except Exception as error:  # noqa: BLE001
                self.problem(name, error if isinstance(error, (Absent, Failed)) else f"{type(error).__name__}: {error}")
            seconds = round(time.monotonic() - start, 1)
            results = {row["result"] for row in self.rows[before:]}
            result = next((result for result in ("FAIL", "pass", "absent") if result in results), "")
            self.steps.append({"step": name, "seconds": seconds, "result": result})
            self.write()

    def passed(self):
        """Whether something was checked, and nothing failed."""
        results = {row["result"] for row in self.rows}
        return "pass" in results and "FAIL" not in results

    def write(self):
        """Writes what is known so far, so that an interruption leaves it."""
        document = {
            "cpu_only": self.machine.is_cpu_only,
            "passed": self.passed(),
            "finished": len(self.steps) == len(STEPS),
            "absent": [{"part": part, "costs": costs} for part, costs in self.absences],
            "steps": self.steps,
            "rows": self.rows,
        }
        self.options.json.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")

    def print(self):
        """Prints the table."""
        heads = list(COLUMNS)
        heads[2:4] = self.columns
        table = [[shown(value) for value in row.values()] for row in self.rows]
        # A text in place of numbers does not make the columns wide.
        is_text = [isinstance(row["CPU"], str) and row["GPU"] is None for row in self.rows]
        numbers = [heads, *(cells for cells, text in zip(table, is_text) if not text)]
        widths = [max(len(cells[at]) for cells in (heads, *table) if at < 2 or cells in numbers) for at in range(len(heads))]
        line = lambda cells: "  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip()
        print(line(heads))
        step = None
        for cells, text in zip(table, is_text):
            begin = ["" if cells[0] == step else cells[0], cells[1]]
            step = cells[0]
            if text:
                # All that follows stands together.
                print("  ".join(filter(None, [f"{begin[0]:{widths[0]}}  {begin[1]:{widths[1]}}", cells[2], cells[6]])))
            else:
                print(line([*begin, *cells[2:]]))
        print()
        print(", ".join(f"{step['step']} {step['seconds']} s" for step in self.steps))
        for part, costs in self.absences:
            print(f"absent: {part}: costs {costs}")
        failed = sum(row["result"] == "FAIL" for row in self.rows)
        checks = sum(row["result"] in ("FAIL", "pass") for row in self.rows)
        passed = f"all {checks} checks passed" if checks else "nothing could be checked"
        print(f"{failed} of {checks} checks failed" if failed else passed)


def shown(value):
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def last_lines(text):
    return " / ".join(line.strip() for line in text.strip().splitlines()[-3:])
