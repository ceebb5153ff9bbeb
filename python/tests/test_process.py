# SPDX-License-Identifier: Apache-2.0
"""Signals, forks and the end of a process, each in a process of its own."""
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
import unittest

import support
from oriel.__main__ import COMMANDS

BEGIN = """
import os, signal, sys, threading, time
import numpy as np
import oriel
# A background job's children start with SIGINT ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
encoder = oriel.Encoder.from_pretrained(
    sys.argv[1], device="cpu", precision="fp32", threads=1)
small = np.zeros((28, 28, 3), np.uint8)
# Attention over 800,000 patches at once: longer than anybody waits.
large = np.zeros((3584, 3584, 3), np.uint8)
"""


def start(code):
    # Since 3.12 Python warns of any fork beside threads.
    return subprocess.Popen(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c",
         BEGIN + textwrap.dedent(code), str(support.tiny())],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=support.scratch(), start_new_session=True)


def finish(process, seconds=60):
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # its children too
        process.communicate()
        raise
    return process.returncode, out, err


class Commands(unittest.TestCase):
    def test_the_tool_names_those_of_python(self):
        """The list of __main__.py is the one that the tool has."""
        source = (support.ROOT / "host/cli/commands.c").read_text()
        listed = re.search(r"in_python\[\] = \{(.*?)\};", source)[1]
        self.assertEqual(tuple(re.findall(r'"(\w+)"', listed)), COMMANDS)


class Signals(unittest.TestCase):
    def interrupt(self, code):
        process = start(code)
        self.assertEqual(process.stdout.readline(), "begin\n")
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        begin = time.perf_counter()
        status, out, err = finish(process)
        self.assertLess(time.perf_counter() - begin, 20)
        return status, out, err

    def test_ctrl_c_stops_an_encode(self):
        status, out, err = self.interrupt("""
            print("begin", flush=True)
            try:
                encoder.encode(large)
            except KeyboardInterrupt:
                print(len(encoder.encode(small)))  # it still works
            """)
        self.assertEqual((status, out, err), (0, "1\n", ""))

    def test_ctrl_c_ends_a_program(self):
        status, out, err = self.interrupt("""
            print("begin", flush=True)
            encoder.encode(large)
            """)
        self.assertEqual((status, out), (-signal.SIGINT, ""))
        self.assertIn("KeyboardInterrupt", err)

    def test_ctrl_c_stops_a_stream(self):
        status, out, err = self.interrupt("""
            print("begin", flush=True)
            try:
                for _ in encoder.encode_iter([large, large]):
                    pass
            except KeyboardInterrupt:
                print("stopped")
            """)
        self.assertEqual((status, out, err), (0, "stopped\n", ""))


class Ends(unittest.TestCase):
    def check(self, code, expected):
        status, out, err = finish(start(code))
        self.assertEqual((status, out, err), (0, expected, ""))

    def test_nothing_was_closed(self):
        self.check("print(len(encoder.encode(small)))", "1\n")

    def test_a_daemon_thread_is_encoding(self):
        self.check("""
            threading.Thread(target=lambda: encoder.encode(large),
                             daemon=True).start()
            sys.excepthook = threading.excepthook = lambda *_: None
            time.sleep(1)
            print("end")
            """, "end\n")

    def test_an_asyncio_encode_is_running(self):
        self.check("""
            import asyncio
            async def main():
                task = asyncio.ensure_future(encoder.aencode(large))
                await asyncio.sleep(1)
            asyncio.run(main())
            print("end")
            """, "end\n")

    def test_a_stream_was_left(self):
        self.check("""
            stream = encoder.encode_iter(iter([small, large, large]),
                                         token_budget=100)
            print(len(next(stream)))
            """, "1\n")


class Forks(unittest.TestCase):
    def test_a_child_is_told(self):
        status, out, err = finish(start("""
            encoder.encode(small)
            child = os.fork()
            if child == 0:
                for use in (lambda: encoder.encode(small),
                            lambda: encoder.plan([(28, 28)]),
                            lambda: encoder.info):
                    try:
                        use()
                    except oriel.ArgumentError as error:
                        assert "spawn" in str(error), error
                    else:
                        sys.exit("no error")
                with oriel.Encoder.from_pretrained(
                        sys.argv[1], device="cpu", precision="fp32") as own:
                    print(len(own.encode(small)), flush=True)
                encoder.close()
                sys.exit(0)
            assert os.waitpid(child, 0)[1] == 0
            print(len(encoder.encode(small)))
            """))
        self.assertEqual((status, out, err), (0, "1\n1\n", ""))

    def test_a_fork_during_an_encode(self):
        """A child that leaves all alone ends, whatever locks were held."""
        status, out, err = finish(start("""
            thread = threading.Thread(target=lambda: encoder.encode(large),
                                      daemon=True)
            threading.excepthook = lambda *_: None
            thread.start()
            time.sleep(0.5)
            child = os.fork()
            if child == 0:
                sys.exit(0)
            print(os.waitpid(child, 0)[1])
            """))
        self.assertEqual((status, out, err), (0, "0\n", ""))

    def test_spawned_processes(self):
        code = """
            import pickle
            print(len(pickle.loads(bytes.fromhex(sys.argv[2])).encode(small)))
            """
        made = subprocess.run(
            [sys.executable, "-c", "import oriel, pickle, sys; print(pickle."
             "dumps(oriel.Encoder(sys.argv[1], device='cpu')).hex())",
             str(support.tiny())], check=True, capture_output=True, text=True,
            cwd=support.scratch())
        process = subprocess.run(
            [sys.executable, "-c", BEGIN + textwrap.dedent(code),
             str(support.tiny()), made.stdout.strip()], check=True,
            capture_output=True, text=True, cwd=support.scratch())
        self.assertEqual(process.stdout, "1\n")
