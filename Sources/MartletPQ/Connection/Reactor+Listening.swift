/// The connections that listen: each belongs to one subscription, asks who answers before it listens, and now and then whether
/// anybody still does.
extension Reactor {
    /// The listener's connection is silent for hours; a question now and then tells a quiet one from a dead one.
    func probe(_ pool: Pool, now: Moment) {
        guard let subscription = pool.subscription, let link = pool.links.first, link.life.isReady,
            link.pipeline.isEmpty, link.lastHeard + options.liveness <= now
        else { return }
        ask([Subscription.probe], subscription, link) { _ in .alive }
    }

    func greet(_ subscription: Subscription, _ link: Link) {
        switch subscription.pooler {
        case .direct, .session: listen(subscription, link)
        case .auto, .transaction: ask([Subscription.meeting], subscription, link) { .met($0) }
        }
    }

    private func listen(_ subscription: Subscription, _ link: Link) {
        ask(subscription.greeting, subscription, link) { [tell = subscription.tell] _ in
            tell(.listening)
            return .alive
        }
    }

    /// - Parameter meaning: what a success says.
    private func ask(
        _ steps: [Step], _ subscription: Subscription, _ link: Link,
        meaning: @escaping @Sendable (Rows) -> SubscriptionAnswer
    ) {
        let now = Moment.now
        let (number, generation) = (subscription.number, link.generation)
        let request = Request(.steps(steps), lane: .listener, submitted: now, deadline: now + options.liveness) {
            [mailbox] result in
            let answer: SubscriptionAnswer =
                switch result {
                case .success(let rows): meaning(rows[0])
                case .failure(let error): .failed(error)
                }
            _ = mailbox.post(.subscriptionAnswered(number, generation: generation, answer))
        }
        link.send(Ticket(request: request))
        link.flush()
    }

    func subscriptionAnswered(_ number: Int, _ generation: Int, _ answer: SubscriptionAnswer) {
        guard let pool = listeners[number], let subscription = pool.subscription, let link = pool.links.first,
            link.generation == generation
        else { return }
        switch answer {
        case .alive: break
        case .met(let rows): if link.isOurs(rows) { listen(subscription, link) } else { becomeDeaf(subscription) }
        case .failed(let error): link.breakOff(error)
        }
    }

    func becomeDeaf(_ subscription: Subscription) {
        subscription.tell(.deaf)
        unsubscribe(subscription.number)
    }

    func unsubscribe(_ number: Int) {
        guard let pool = listeners.removeValue(forKey: number) else { return }
        drop(pool)
    }
}
