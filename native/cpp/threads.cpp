#include "threads.h"

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace {

struct Pool {
    std::mutex guard, one_at_a_time;
    std::condition_variable work_there, work_done;
    std::vector<std::thread> threads;
    const std::function<void(int)> *work = nullptr;
    uint64_t round = 0;
    int count = 0, open = 0;

    void run(int number, uint64_t seen) {
        for (;;) {
            std::unique_lock<std::mutex> lock(guard);
            work_there.wait(lock, [&] { return round != seen; });
            seen = round;
            if (number >= count) continue;
            const std::function<void(int)> *mine = work;
            lock.unlock();
            (*mine)(number);
            lock.lock();
            if (--open == 0) work_done.notify_one();
        }
    }
};

// Never destroyed: its threads sleep until the process ends. A forked child has none of them, so it gets a new pool.
std::atomic<Pool *> pool{nullptr};

void forget() { pool = nullptr; }

Pool &the_pool() {
    Pool *found = pool.load();
    if (found) return *found;
    static std::once_flag once;
    std::call_once(once, [] { pthread_atfork(nullptr, nullptr, forget); });
    Pool *made = new Pool;
    if (pool.compare_exchange_strong(found, made)) return *made;
    delete made;
    return *found;
}

}  // namespace

void in_parallel(int count, const std::function<void(int)> &work) {
    if (count <= 1) {
        if (count == 1) work(0);
        return;
    }
    Pool &mine = the_pool();
    std::lock_guard<std::mutex> turn(mine.one_at_a_time);
    {
        std::lock_guard<std::mutex> lock(mine.guard);
        while ((int)mine.threads.size() < count - 1) {
            int number = (int)mine.threads.size();
            mine.threads.emplace_back([&mine, number, seen = mine.round] { mine.run(number, seen); });
        }
        mine.work = &work;
        mine.count = mine.open = count - 1;
        mine.round++;
    }
    mine.work_there.notify_all();
    work(count - 1);
    std::unique_lock<std::mutex> lock(mine.guard);
    mine.work_done.wait(lock, [&] { return mine.open == 0; });
}
