#include "threads.h"

#include <dlfcn.h>
#include <pthread.h>
#ifdef __linux__
#include <link.h>
#include <string.h>
#endif

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

// The threads of torch, where it has loaded GNU's OpenMP. After each of torch's own operations they wait for the next one
// at full speed, so that other threads on the same cores would have to share them.
struct Team {
    void (*parallel)(void (*)(void *), void *, unsigned, unsigned) = nullptr;
    int (*number)() = nullptr, (*size)() = nullptr;
};

#ifdef __linux__
int find_openmp(dl_phdr_info *library, size_t, void *found) {
    const char *name = strrchr(library->dlpi_name, '/');
    if (!name || strncmp(name, "/libgomp", 8)) return 0;
    *(void **)found = dlopen(library->dlpi_name, RTLD_LAZY | RTLD_NOLOAD);
    return 1;
}

Team find_team() {
    void *library = nullptr;
    dl_iterate_phdr(find_openmp, &library);
    Team team;
    if (!library) return team;
    team.number = (int (*)())dlsym(library, "omp_get_thread_num");
    team.size = (int (*)())dlsym(library, "omp_get_num_threads");
    if (team.number && team.size) *(void **)&team.parallel = dlsym(library, "GOMP_parallel");
    return team;
}
#else
Team find_team() { return {}; }
#endif

std::mutex finding;
Team team;
// A forked child has no threads of OpenMP's, which would wait for them for ever.
std::atomic<bool> forked{false};

Team the_team() {
    std::lock_guard<std::mutex> lock(finding);
    if (!team.parallel) team = find_team();
    return forked ? Team{} : team;
}

struct Share {
    const Team &team;
    const std::function<void(int)> &work;
    int count;
};

void take_share(void *from) {
    const Share &share = *(Share *)from;
    // There may be fewer threads than were asked for.
    for (int number = share.count - 1 - share.team.number(); number >= 0; number -= share.team.size())
        share.work(number);
}

// Never destroyed: its threads sleep until the process ends. A forked child has none of them, so it gets a new pool.
std::atomic<Pool *> pool{nullptr};

void forget() {
    pool = nullptr;
    forked = true;
}

void watch_forks() {
    static std::once_flag once;
    std::call_once(once, [] { pthread_atfork(nullptr, nullptr, forget); });
}

Pool &the_pool() {
    Pool *found = pool.load();
    if (found) return *found;
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
    watch_forks();
    Team of_torch = the_team();
    if (of_torch.parallel) {
        Share share{of_torch, work, count};
        of_torch.parallel(take_share, &share, (unsigned)count, 0);
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
