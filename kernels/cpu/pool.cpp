#include "pool.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include <unistd.h>

namespace igrt::cpu {
namespace {

class Pool {
  public:
    explicit Pool(std::size_t count) {
        for (std::size_t i = 1; i < count; ++i) workers_.emplace_back([this] { serve(); });
    }

    ~Pool() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        wake_.notify_all();
        for (std::thread& worker : workers_) worker.join();
    }

    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    void run(std::size_t chunks, Task task, void* context) {
        {
            const std::lock_guard lock(mutex_);
            task_ = task, context_ = context, chunks_ = chunks;
            next_.store(0, std::memory_order_relaxed);
            busy_ = workers_.size();
            ++generation_;
        }
        wake_.notify_all();
        drain(task, context, chunks);
        std::unique_lock lock(mutex_);
        done_.wait(lock, [this] { return busy_ == 0; });
    }

  private:
    void drain(Task task, void* context, std::size_t chunks) {
        for (std::size_t chunk = next_.fetch_add(1); chunk < chunks; chunk = next_.fetch_add(1)) task(context, chunk);
    }

    void serve() {
        std::size_t seen = 0;
        std::unique_lock lock(mutex_);
        while (true) {
            wake_.wait(lock, [&] { return stopping_ || generation_ != seen; });
            if (stopping_) return;
            seen = generation_;
            const Task task = task_;
            void* const context = context_;
            const std::size_t chunks = chunks_;
            lock.unlock();
            drain(task, context, chunks);
            lock.lock();
            if (--busy_ == 0) done_.notify_one();
        }
    }

    std::mutex mutex_;
    std::condition_variable wake_, done_;
    std::atomic<std::size_t> next_{0};
    Task task_ = nullptr;
    void* context_ = nullptr;
    std::size_t chunks_ = 0, busy_ = 0, generation_ = 0;
    bool stopping_ = false;
    std::vector<std::thread> workers_;
};

// One caller at a time; callers from several Python threads queue here.
std::mutex owner_mutex;
Pool* owned = nullptr;  // never destroyed at exit: a forked child would wait there for threads that it does not have
pid_t owner_process = 0;
std::size_t wanted = 1;

Pool& pool() {
    if (!owned || owner_process != getpid()) {  // after fork the parent's pool is left be
        owned = new Pool(wanted);
        owner_process = getpid();
    }
    return *owned;
}

}  // namespace

void set_threads(std::size_t count) {
    const std::lock_guard lock(owner_mutex);
    if (count == wanted) return;
    if (owner_process == getpid()) delete owned;
    owned = nullptr;
    wanted = count;
}

std::size_t threads() {
    const std::lock_guard lock(owner_mutex);
    return wanted;
}

void run_chunks(std::size_t chunks, Task task, void* context) {
    const std::lock_guard lock(owner_mutex);
    if (chunks < 2 || wanted < 2) {
        for (std::size_t chunk = 0; chunk < chunks; ++chunk) task(context, chunk);
        return;
    }
    pool().run(chunks, task, context);
}

}  // namespace igrt::cpu
