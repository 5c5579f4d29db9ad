"""What the workflow costs, measured; see docs/performance.md."""

# Before anything loads PyTorch, as in a job's process: it says how waiting threads wait.
import softscene  # noqa: F401
