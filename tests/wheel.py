"""Build the wheel and run the main job from it in an empty environment outside the tree; exits non-zero where anything fails."""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def run(*command: str | Path, cwd: Path, expected: tuple[int, ...] = (0,)) -> str:
    """Run a command to its end; its output, or SystemExit with it where the command fails."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=1200)
    if done.returncode not in expected:
        sys.exit(f"{' '.join(map(str, command))} exited with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def main() -> None:
    """The wheel holds all that a user needs: calibration, native modules, kernels for NVRTC, templates."""
    with tempfile.TemporaryDirectory() as scratch_name:
        scratch = Path(scratch_name)
        run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", scratch / "dist", ".", cwd=REPOSITORY)
        (wheel,) = (scratch / "dist").glob("igrt-*.whl")
        venv.create(scratch / "venv", with_pip=True)
        python = scratch / "venv" / "bin" / "python"
        run(python, "-m", "pip", "install", "--quiet", "--constraint", REPOSITORY / "constraints.txt", wheel, cwd=scratch)
        where = run(python, "-c", "import igrt; print(igrt.__file__)", cwd=scratch)
        if not where.startswith(str(scratch)):
            sys.exit(f"the wheel test imported igrt from {where.strip()}, not from the wheel")
        run(python, "-c", "from igrt.compute.kernel_source import threads_of_entries; threads_of_entries()['accumulate']", cwd=scratch)
        igrt = scratch / "venv" / "bin" / "igrt"
        run(igrt, "doctor", "--site", scratch / "site", cwd=scratch, expected=(0, 1))  # 1 is a warning, such as no time service
        run(igrt, "simulate", "files", scratch / "patients", "--patient", "head", cwd=scratch)
        head = scratch / "patients" / "head"
        report = scratch / "report.html"
        run(igrt, "verify", "--plan", head / "plan", "--daily", head / "fraction-1", "--protocol", "head", "--report", report, cwd=scratch)
        if "</html>" not in report.read_text():
            sys.exit("the installed wheel wrote no whole report")
    print(f"{wheel.name}: installed outside the tree, doctor, simulate and verify with a report ran")  # noqa: T201


if __name__ == "__main__":
    main()
