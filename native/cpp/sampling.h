// From scores to a symbol, as decoding/filters.py and decoding/draw.py have it: in float64, and in the same order.
#pragma once
#include <stddef.h>

#include <vector>

#include "ensue.h"

// Give the log-probability and the probability of each symbol, from scores that are known up to a constant. What
// vanishes in single precision, as it does in a softmax of floats, is impossible.
void log_probabilities(const float *scores, int size, double *out, double *probabilities);

// One number in [0, 1) for each (seed, sample, step), as in decoding/uniform.py.
double uniform(uint64_t seed, uint64_t sample, uint64_t step);

class Chooser {
  public:
    Chooser(const ensue_rules &rules, int size);
    // Draw a symbol at `number`; the `recent` ones are less likely. `nats` is what it cost before any filter.
    int choose(const float *scores, const int32_t *recent, int recent_count, double number, double *nats);

  private:
    struct Candidate {
        int id;
        double score, probability, key;
    };

    int filter(const int32_t *recent, int recent_count, double number);
    bool nothing_to_filter() const;
    int draw_unfiltered(double number);
    void allow();
    void penalize(const int32_t *recent, int count);
    void temper();
    void keep_top(size_t count);
    void keep_mass(double mass);
    void keep_probable();
    void keep_typical();
    void normalize();
    void finish();
    template <typename Key>
    void line_up(const Key &key);
    static bool precedes(const Candidate &a, const Candidate &b);
    int draw(double number) const;

    const ensue_rules &rules;
    std::vector<double> log_probs, probabilities, cumulative, powers;
    std::vector<char> is_recent;
    std::vector<Candidate> left;  // the symbols that may still be drawn, lowest id first
    std::vector<Candidate> queue;  // the same with their keys, the lowest to come first
};
