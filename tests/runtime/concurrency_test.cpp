// Several threads on one engine, and futures.
#include <atomic>
#include <thread>

#include "runtime/helpers.h"

namespace xinfer::runtime::testing {
namespace {

TEST(Concurrent, FourThreadsGetTheSequentialAnswers) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 12;
  const InferenceEngine engine(classifier(kThreads), {.threads = 1});
  std::vector<Tensor> images;
  std::vector<std::vector<float>> wanted;
  for (int t = 0; t < kThreads; ++t) {  // each thread with a batch size of its own, compiled while others run
    images.push_back(random_tensor({t + 1, 3, 8, 8}, static_cast<std::uint32_t>(t)));
    const InferenceEngine alone(classifier(kThreads), {.threads = 1});
    wanted.push_back(values(alone.infer(images.back())));
  }
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRounds; ++i) {
        const std::size_t k = (t + static_cast<std::size_t>(i) / 4) % kThreads;
        if (values(engine.infer(images[k])) != wanted[k]) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Async, GivesTheAnswersOfInfer) {
  const InferenceEngine engine(two_inputs(8), {.threads = 1, .async_workers = 2});
  std::vector<Tensor> inputs;
  std::vector<std::future<std::vector<Tensor>>> futures;
  for (std::int64_t i = 0; i < 16; ++i) {
    inputs.push_back(random_tensor({1 + i % 8, 3}, static_cast<std::uint32_t>(i)));
    futures.push_back(engine.infer_async({inputs.back(), inputs.back()}));
  }
  for (std::size_t i = 0; i < futures.size(); ++i) {
    const std::vector<Tensor> got = futures[i].get();
    const std::vector<Tensor> wanted = engine.infer({inputs[i], inputs[i]});
    EXPECT_EQ(values(got[0]), values(wanted[0]));
    EXPECT_EQ(values(got[1]), values(wanted[1]));
  }
}

TEST(Async, ErrorsComeThroughTheFuture) {
  const InferenceEngine engine(two_inputs(2));
  auto bad = engine.infer_async({random_tensor({2, 3}, 1)});
  auto good = engine.infer_async({random_tensor({2, 3}, 1), random_tensor({2, 3}, 2)});
  expect_engine_error([&] { bad.get(); }, {"2 inputs"});
  EXPECT_EQ(good.get().size(), 2U);
}

TEST(Async, FinishesWhatIsQueuedWhenTheEngineGoes) {
  std::vector<std::future<std::vector<Tensor>>> futures;
  {
    const InferenceEngine engine(two_inputs(2));
    for (int i = 0; i < 8; ++i)
      futures.push_back(engine.infer_async({random_tensor({2, 3}, 1), random_tensor({2, 3}, 2)}));
  }
  for (auto& future : futures) EXPECT_EQ(future.get().size(), 2U);
}

TEST(Move, KeepsWorking) {
  InferenceEngine first(two_inputs(2));
  const Tensor x = random_tensor({2, 3}, 1);
  auto pending = first.infer_async({x, x});
  const auto wanted = values(first.infer({x, x}).front());
  InferenceEngine second(std::move(first));
  EXPECT_EQ(values(second.infer({x, x}).front()), wanted);
  EXPECT_EQ(values(pending.get().front()), wanted);
  second = InferenceEngine(two_inputs(1));
  EXPECT_EQ(second.max_batch_size(), 1);
}

}  // namespace
}  // namespace xinfer::runtime::testing
