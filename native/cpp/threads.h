// A small pool of threads that share work by numbers; it has no barriers inside, since rows do not need each other.
#pragma once
#include <functional>

// Call work(0) ... work(count - 1), each on a thread of its own, the last on the caller's; return when all are done.
void in_parallel(int count, const std::function<void(int)> &work);
