#include "sampling.h"

#include <math.h>

#include <algorithm>

#define ENSUE_KERNELS "softmax.h"
#include "instruction_sets.h"

static double probabilities_of(const float *scores, int size, double *out) {
    return (*ENSUE_CHOSEN(softmax))(scores, size, out);
}

static void take_logarithms(const float *scores, int size, double shift, const double *probabilities, double *out) {
    for (int id = 0; id < size; id++) out[id] = probabilities[id] == 0 ? -INFINITY : scores[id] - shift;
}

void log_probabilities(const float *scores, int size, double *out, double *probabilities) {
    double shift = probabilities_of(scores, size, probabilities);
    take_logarithms(scores, size, shift, probabilities, out);
}

// Philox4x32-10 (Salmon et al. 2011).
double uniform(uint64_t seed, uint64_t sample, uint64_t step) {
    uint32_t a = (uint32_t)step, b = (uint32_t)(step >> 32), c = (uint32_t)sample, d = (uint32_t)(sample >> 32);
    uint32_t first = (uint32_t)seed, second = (uint32_t)(seed >> 32);
    for (int turn = 0; turn < 10; turn++, first += 0x9E3779B9, second += 0xBB67AE85) {
        uint64_t left = 0xD2511F53ull * a, right = 0xCD9E8D57ull * c;
        a = (uint32_t)(right >> 32) ^ b ^ first, b = (uint32_t)right;
        c = (uint32_t)(left >> 32) ^ d ^ second, d = (uint32_t)left;
    }
    return (double)((uint64_t)(a >> 5) << 26 | b >> 6) / 9007199254740992.0;
}

Chooser::Chooser(const ensue_rules &rules, int size)
    : rules(rules), log_probs(size), probabilities(size), cumulative(size), powers(size), is_recent(size, 0) {
    left.reserve(size);
    queue.reserve(size);
}

template <typename Key>
void Chooser::line_up(const Key &key) {
    queue = left;
    for (Candidate &one : queue) one.key = key(one);
}

// The lower ids of equal ones first.
bool Chooser::precedes(const Candidate &a, const Candidate &b) {
    return a.key != b.key ? a.key < b.key : a.id < b.id;
}

int Chooser::choose(const float *scores, const int32_t *recent, int recent_count, double number, double *nats) {
    int size = (int)probabilities.size();
    double shift = probabilities_of(scores, size, probabilities.data());
    int id = nothing_to_filter() ? draw_unfiltered(number) : -1;
    if (id < 0) {
        take_logarithms(scores, size, shift, probabilities.data(), log_probs.data());
        id = filter(recent, recent_count, number);
    }
    *nats = probabilities[id] == 0 ? INFINITY : shift - scores[id];
    return id;
}

int Chooser::filter(const int32_t *recent, int recent_count, double number) {
    allow();
    if (rules.penalty != 1) penalize(recent, recent_count);
    if (rules.temperature != 1) temper();
    if (rules.top_k > 0 && rules.top_k < (int)log_probs.size()) keep_top(rules.top_k);
    if (rules.nucleus < 1) {
        line_up([](const Candidate &one) { return -one.score; });
        keep_mass(rules.nucleus);
    }
    if (rules.min_p > 0) keep_probable();
    if (rules.typical < 1) keep_typical();
    return draw(number);
}

bool Chooser::nothing_to_filter() const {
    return rules.penalty == 1 && rules.temperature == 1 && rules.nucleus == 1 && rules.min_p == 0 &&
           rules.typical == 1 && (rules.top_k == 0 || rules.top_k >= (int)log_probs.size());
}

// The same as allow() and draw(), without a list of what is left; -1 where the model excludes all that is allowed.
int Chooser::draw_unfiltered(double number) {
    double total = 0;
    for (size_t id = 0; id < cumulative.size(); id++)
        cumulative[id] = total += rules.allowed[id] ? probabilities[id] : 0;
    if (!(total > 0)) return -1;
    int id = 0;
    while (cumulative[id] <= number * total && cumulative[id] < total) id++;
    return id;
}

void Chooser::allow() {
    left.clear();
    double total = 0;
    for (int id = 0; id < (int)log_probs.size(); id++)
        if (rules.allowed[id] && log_probs[id] > -INFINITY) {
            left.push_back({id, log_probs[id], probabilities[id], 0});
            total += left.back().probability;
        }
    if (left.empty())
        // What the model excludes altogether is equally likely.
        for (int id = 0; id < (int)log_probs.size(); id++)
            if (rules.allowed[id]) left.push_back({id, 0, 1, 0}), total += 1;
    double shift = log(total);
    for (Candidate &one : left) one.score -= shift, one.probability /= total;
}

void Chooser::normalize() {
    double highest = -INFINITY, total = 0;
    for (const Candidate &one : left) highest = one.score > highest ? one.score : highest;
    for (size_t i = 0; i < left.size(); i++) powers[i] = left[i].score - highest;
    (*ENSUE_CHOSEN(exponentials))(powers.data(), (int)left.size());
    for (size_t i = 0; i < left.size(); i++) total += left[i].probability = powers[i];
    double shift = highest + log(total);
    for (Candidate &one : left) one.score -= shift, one.probability /= total;
}

void Chooser::penalize(const int32_t *recent, int count) {
    for (int i = 0; i < count; i++)
        if (recent[i] < (int)is_recent.size()) is_recent[recent[i]] = 1;
    for (Candidate &one : left)
        if (is_recent[one.id]) one.score *= rules.penalty;
    for (int i = 0; i < count; i++)
        if (recent[i] < (int)is_recent.size()) is_recent[recent[i]] = 0;
    normalize();
}

void Chooser::temper() {
    if (rules.temperature == 0) return keep_top(1);
    double highest = -INFINITY;
    for (const Candidate &one : left) highest = one.score > highest ? one.score : highest;
    for (Candidate &one : left) one.score = (one.score - highest) / rules.temperature;
    // Close to 0 the unlikely become impossible.
    left.erase(std::remove_if(left.begin(), left.end(), [](const Candidate &one) { return one.score == -INFINITY; }),
               left.end());
    normalize();
}

void Chooser::keep_top(size_t count) {
    if (count < left.size()) {
        line_up([](const Candidate &one) { return -one.score; });
        std::nth_element(queue.begin(), queue.begin() + count, queue.end(), precedes);
        left.assign(queue.begin(), queue.begin() + count);
    }
    finish();
}

void Chooser::keep_mass(double mass) {
    double before = 0;
    size_t count = 0, sorted = 0;
    // A symbol is kept while those before it have less than the mass: the one that crosses it is the last.
    for (; count < queue.size() && before < mass; before += queue[count++].probability) {
        if (count < sorted) continue;
        // Few are enough, nearly always.
        sorted = std::min(queue.size(), std::max<size_t>(16, 4 * sorted));
        auto from = queue.begin() + count, to = queue.begin() + sorted;
        std::nth_element(from, to, queue.end(), precedes);
        std::sort(from, to, precedes);
    }
    left.assign(queue.begin(), queue.begin() + count);
    finish();
}

void Chooser::finish() {
    std::sort(left.begin(), left.end(), [](const Candidate &a, const Candidate &b) { return a.id < b.id; });
    normalize();
}

void Chooser::keep_probable() {
    double highest = -INFINITY;
    for (const Candidate &one : left) highest = one.score > highest ? one.score : highest;
    double least = highest + log(rules.min_p);
    left.erase(std::remove_if(left.begin(), left.end(), [&](const Candidate &one) { return one.score < least; }),
               left.end());
    normalize();
}

void Chooser::keep_typical() {
    double entropy = 0;
    for (const Candidate &one : left) entropy -= one.probability * one.score;
    line_up([&](const Candidate &one) { return fabs(-one.score - entropy); });
    keep_mass(rules.typical);
}

int Chooser::draw(double number) const {
    double total = 0, sum = 0;
    for (const Candidate &one : left) total += one.probability;
    for (const Candidate &one : left) {
        sum += one.probability;
        // Where rounding lifts the target to the total, the last symbol that has any probability is meant.
        if (sum > number * total || sum >= total) return one.id;
    }
    return left.back().id;
}
