// One tick at a time: all rows read the same weights, and the threads share the tiles of every stage.
#include "ticks.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#include <string.h>

#include <memory>

#include "sampling.h"
#include "thread_pool.h"
#include "packing.h"
#include "arena.h"
#include "threads.h"

#define ENSUE_KERNELS "tick_kernels.h"
#include "instruction_sets.h"

namespace {

// Sharing a stage takes about as long as so many multiplications.
constexpr int64_t WORTH_SHARING = 30000;

class Writer {
  public:
    Writer(const ensue_network &network, const ensue_rules *rules, ensue_writing &writing)
        : network(network), rules(rules), writing(writing), kernels(*ENSUE_CHOSEN(KERNELS)),
          crew(writing.alone_until, writing.rest), threads(useful_threads()), hands(room.take<Hand>(threads)) {
        Bytes *bytes = take_bytes();
        for (int thread = 0; thread < threads; thread++) {
            hands[thread] = take_hand();
            hands[thread].bytes = bytes;
            if (rules) choosers.emplace_back(*rules, network.size);
        }
        memset(writing.written, 0, sizeof(int32_t) * writing.rows);
    }

    int run() {
        int ticks = 0;
        int64_t left = 0;
        in_parallel(threads, [&](int thread) {
            if (thread < threads - 1) {
                crew.help([&](int item) { do_item(thread, item); });
                return;
            }
            while (ticks < writing.ticks && goes_on()) tick(ticks++);
            crew.leave();
            left = nanoseconds();
        });
        // A helper that has not even begun is as late as one that has stopped.
        int64_t now = nanoseconds();
        if (threads > 1) crew.note_delay(now - left, now);
        if (ticks % 2)
            for (int row = 0; row < writing.rows; row++)
                memcpy(row_at(row), row_at(row) + network.state, 4 * network.state);
        return ticks;
    }

  private:
    float *row_at(int row) const { return writing.memory + row * network.stride; }

    int64_t work_of(const ensue_stage &stage) const {
        int64_t work = (int64_t)(stage.last - stage.first) * stage.units;
        for (int i = stage.first_product; i < stage.last_product; i++) {
            const ensue_weights &weights = network.weights[network.products[i].weights];
            work += (int64_t)weights.gates * weights.units * weights.inner;
        }
        return work * writing.rows;
    }

    // As many threads as any stage is worth, and one while the machine is known to be busy.
    int useful_threads() const {
        int64_t most = 0;
        for (int i = 0; i < network.stage_count; i++) {
            int64_t work = work_of(network.stages[i]);
            most = work > most ? work : most;
        }
        bool busy = writing.alone_until && nanoseconds() < writing.alone_until;
        return most < WORTH_SHARING || writing.threads < 1 || busy ? 1 : writing.threads;
    }

    Hand take_hand() {
        int count = network.place_count;
        Hand hand{&network, {room.take<float *>(count), room.take<float *>(count)}, room.take<int64_t>(count),
                  room.take<bool>(count), room.take<float>(4 * MOST_BLOCK_ROWS * TILE), nullptr};
        float *registers = room.take<float>((int64_t)network.register_count * kernels.block_rows * TILE);
        for (int i = 0; i < count; i++) {
            const ensue_place &place = network.places[i];
            float *even = (float *)place.base, *odd = even;
            if (place.where == ENSUE_OF_ROW) even = writing.memory + place.offset, odd = writing.memory + place.other;
            if (place.where == ENSUE_OF_TILE) even = odd = registers + place.offset * kernels.block_rows * TILE;
            hand.places[0][i] = even, hand.places[1][i] = odd;
            hand.steps[i] = place.where == ENSUE_OF_ROW ? network.stride : place.where == ENSUE_OF_TILE ? TILE : 0;
            hand.of_tile[i] = place.where >= ENSUE_OF_TILE;
        }
        return hand;
    }

    Bytes *take_bytes() {
        Bytes *bytes = room.take<Bytes>(network.product_count);
        for (int i = 0; i < network.product_count; i++) {
            const ensue_weights &weights = network.weights[network.products[i].weights];
            bytes[i] = {};
            if (weights.format != ENSUE_INT8) continue;
            int64_t step = (weights.inner + 63) / 64 * 64;
            bytes[i] = {room.take<uint8_t>(writing.rows * step), room.take<uint8_t>(writing.rows * step),
                        room.take<float>(writing.rows), step};
        }
        return bytes;
    }

    bool goes_on() const {
        int going = 0;
        for (int row = 0; row < writing.rows; row++) going += !ended(row);
        return 4 * going > 3 * writing.rows;
    }

    bool ended(int row) const {
        int count = writing.written[row];
        return rules && count && writing.ids[row * writing.ticks + count - 1] == rules->end;
    }

    void tick(int number) {
        now = number;
        for (int i = 0; i < network.lookup_count; i++) {
            const ensue_lookup &one = network.lookups[i];
            for (int row = 0; row < writing.rows; row++) {
                const float *from = one.table + (int64_t)writing.symbols[row] * one.width;
                memcpy(row_at(row) + network.places[one.out].offset, from, 4 * one.width);
            }
        }
        for (int i = 0; i < network.stage_count; i++) run_stage(network.stages[i]);
        stage = nullptr;
        blocks = 1;
        share(writing.rows, writing.rows * (rules ? 50 : 20) * network.size);
    }

    void run_stage(const ensue_stage &next) {
        stage = &next;
        const Hand &mine = hands[threads - 1];
        bool whole = next.first < next.last && network.instructions[next.first].operation >= TILE_OPERATION_COUNT;
        if (whole) return kernels.run_whole(mine, next, now % 2, writing.rows);
        kernels.prepare(mine, next, now % 2, writing.rows);
        int tiles = tiles_of(next.units);
        // Many rows of few units are shared by rows too.
        blocks = tiles >= 2 * threads ? 1 : (writing.rows + kernels.block_rows - 1) / kernels.block_rows;
        share(tiles * blocks, work_of(next));
    }

    void share(int items, int64_t work) {
        auto mine = [&](int item) { do_item(threads - 1, item); };
        if (threads > 1 && work >= WORTH_SHARING) return crew.share(items, mine);
        for (int item = 0; item < items; item++) mine(item);
    }

    void do_item(int thread, int item) {
        if (!stage) return finish_row(thread, item);
        int rows = blocks == 1 ? writing.rows : kernels.block_rows, row = item % blocks * rows;
        int count = writing.rows - row < rows ? writing.rows - row : rows;
        kernels.run_tile(hands[thread], *stage, now % 2, row, count, item / blocks);
    }

    void finish_row(int thread, int row) {
        const float *scores = row_at(row) + network.places[network.scores].offset;
        int64_t size = network.size;
        if (!rules) {
            double *log_probs = writing.log_probs + row * size;
            return log_probabilities(scores, (int)size, log_probs, writing.probabilities + row * size);
        }
        if (ended(row)) return;
        int32_t *next = writing.recent + (int64_t)row * (rules->window + writing.ticks) + rules->window + now;
        int count = writing.known[row] + now < rules->window ? writing.known[row] + now : rules->window;
        double number = uniform(rules->seed, writing.samples[row], writing.first_step + now);
        int64_t at = (int64_t)row * writing.ticks + now;
        int id = choosers[thread].choose(scores, next - count, count, number, writing.nats + at);
        writing.ids[at] = *next = writing.symbols[row] = id;
        writing.written[row] = now + 1;
    }

    const ensue_network &network;
    const ensue_rules *rules;
    ensue_writing &writing;
    const TickKernels &kernels;
    Room room;
    Crew crew;
    int threads;
    Hand *hands;
    std::vector<Chooser> choosers;
    // What is being shared: a tick's stage, in so many blocks of rows; no stage where the rows' symbols are drawn.
    int now = 0, blocks = 1;
    const ensue_stage *stage = nullptr;
};

}  // namespace

int32_t ensue_write(const ensue_network *network, const ensue_rules *rules, ensue_writing *writing) {
    try {
        return Writer(*network, rules, *writing).run();
    } catch (const std::bad_alloc &) {
        return -1;
    }
}
