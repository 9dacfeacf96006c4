"""The test harness, under the official SDK's module name."""

from rtour.sdk.testing import HarnessEnvironment, create_test_harness

__all__ = ["HarnessEnvironment", "create_test_harness"]
