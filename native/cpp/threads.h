// Threads that share work by numbers: torch's own, or else a small pool. They have no barriers inside.
#pragma once
#include <functional>

// Call work(0) ... work(count - 1), each on a thread of its own, the last on the caller's; return when all are done.
void in_parallel(int count, const std::function<void(int)> &work);
