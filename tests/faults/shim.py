"""The other end of shim.c: a pool with its clock moved or its allocations failing."""
import contextlib
import mmap
import struct

from instance import Pool


class Control:
    """What is told to the processes that shim.c was loaded into"""

    def __init__(self, path):
        path.write_bytes(bytes(24))
        path.chmod(0o644)
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 24)
        self.generation = 0

    def clock(self, seconds):
        self.map[0:8] = struct.pack("=q", seconds)

    def fail_every(self, nth):
        """From now on; 0 for none"""
        self.generation += 1
        self.map[16:24] = struct.pack("=Q", self.generation)
        self.map[8:16] = struct.pack("=Q", nth)


@contextlib.contextmanager
def shimmed_pool(run, **options):
    """(pool, control)"""
    library = run.built.library("shim")
    path = run.built.dir / "control"
    control = Control(path)
    with Pool(run.instance, environment={"LD_PRELOAD": library, "FAULTS_CONTROL": str(path)},
              **options) as pool:
        yield pool, control
