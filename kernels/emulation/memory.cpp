#include "emulation/memory.hpp"

namespace igrt::emulation {
namespace {

std::string cell(const std::string& name, i64 index) { return name + "[" + std::to_string(index) + "]"; }

}  // namespace

void Touched::check(const At& at, const char* verb) const {
    if (at.index >= 0 && at.index < size_) return;
    throw Fault("overrun: " + machine.who() + " " + verb + " " + cell(name_, at.index) + " of " + std::to_string(size_) + " at " + at.place.words());
}

// Whether what `thread` did in `stretch` and what the running thread does now have no order.
bool Touched::collides(u32 thread, u32 stretch) const {
    if (thread == 0 || thread == machine.thread()) return false;
    return stretch == machine.stretch() || !machine.in_this_block(stretch);
}

void Touched::race(const At& at, const char* verb, u32 thread, const char* did) const {
    const std::string other = thread == several ? "several threads" : "thread " + std::to_string(thread - 1) + " of the launch";
    throw Fault("race: " + machine.who() + " " + verb + " " + cell(name_, at.index) + " at " + at.place.words() + ", which " + other + " " + did +
                " with no barrier between");
}

void Touched::read(const At& at) {
    Cell& c = cells_[static_cast<std::size_t>(at.index)];
    if (written_first_ && c.writer == 0)
        throw Fault("unknown: " + machine.who() + " reads " + cell(name_, at.index) + " at " + at.place.words() + ", which no thread of its block has written");
    if (collides(c.writer, c.written)) race(at, "reads", c.writer, "wrote");
    const bool elsewhere = c.reader != 0 && !machine.in_this_block(c.read);  // no later barrier orders a reader of another block
    const bool another = elsewhere || (c.reader != 0 && c.reader != machine.thread() && c.read == machine.stretch());
    c.reader = another ? several : machine.thread();
    c.read = elsewhere ? 0 : machine.stretch();
    ++reads;
}

void Touched::write(const At& at) {
    Cell& c = cells_[static_cast<std::size_t>(at.index)];
    if (collides(c.writer, c.written)) race(at, "writes", c.writer, "wrote");
    if (collides(c.reader, c.read)) race(at, "writes", c.reader, "read");
    c.writer = machine.thread();
    c.written = machine.stretch();
    ++writes;
}

}  // namespace igrt::emulation
