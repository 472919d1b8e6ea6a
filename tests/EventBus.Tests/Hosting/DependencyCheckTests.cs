using EventBus.Hosting;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Tests.Hosting;

/// <summary>The check agrees with the container: where it finds no fault the container creates the handler, and else it cannot.</summary>
public sealed class DependencyCheckTests
{
    public static TheoryData<Type, string, string?> Cases { get; } = new()
    {
        { typeof(NeedsNothing), "", null },
        { typeof(Needs<IMissing>), "", "IMissing" },
        { typeof(Needs<IServiceProvider>), "", null },
        { typeof(Needs<IServiceScopeFactory>), "", null },
        { typeof(Needs<IEnumerable<IMissing>>), "", null },
        { typeof(Needs<IGeneric<int>>), "", null },
        { typeof(Needs<IGenericThatNeedsMissing<int>>), "", "IMissing" },
        { typeof(Needs<Indirect>), "", "IMissing" },
        { typeof(Needs<FromFactory>), "", null },
        { typeof(Needs<Circle>), "", "needs itself" },
        { typeof(NeedsOptionally), "", null },
        { typeof(NeedsKeyed), "", "with the key \"key\"" },
        { typeof(NeedsKeyed), "key", null },
        { typeof(NeedsKeyed), "other", "with the key \"key\"" },
        { typeof(NeedsOneOfTwo), "", null },
        { typeof(NoPublicConstructor), "", "no public constructor" },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Faults_AreThoseTheContainerHas(Type handler, string key, string? fault)
    {
        ServiceCollection services = new();
        services.AddScoped(typeof(IGeneric<>), typeof(Generic<>));
        services.AddScoped(typeof(IGenericThatNeedsMissing<>), typeof(GenericThatNeedsMissing<>));
        services.AddScoped<Indirect>();
        services.AddScoped<Circle>().AddScoped<OtherHalf>();
        services.AddScoped(_ => new FromFactory(null!));
        services.AddKeyedScoped<NeedsNothing>(key);
        services.AddScoped(handler);
        using ServiceProvider provider = services.BuildServiceProvider();

        string[] faults = new DependencyCheck(services, provider.GetRequiredService<IServiceProviderIsService>()).FaultsOf(handler);

        using IServiceScope scope = provider.CreateScope();
        Action create = () => scope.ServiceProvider.GetRequiredService(handler);
        if (fault is null)
        {
            faults.Should().BeEmpty();
            create.Should().NotThrow();
        }
        else
        {
            faults.Should().ContainSingle().Which.Should().Contain(fault);
            create.Should().Throw<InvalidOperationException>();
        }
    }

    [Theory]
    [InlineData(ServiceLifetime.Singleton, ServiceLifetime.Scoped, true)]
    [InlineData(ServiceLifetime.Singleton, ServiceLifetime.Transient, false)]
    [InlineData(ServiceLifetime.Singleton, ServiceLifetime.Singleton, false)]
    [InlineData(ServiceLifetime.Scoped, ServiceLifetime.Scoped, false)]
    [InlineData(ServiceLifetime.Transient, ServiceLifetime.Scoped, false)]
    public void SingletonHandler_ThatWouldKeepAScopedService_IsAFault(ServiceLifetime handler, ServiceLifetime needed, bool isFault)
    {
        ServiceCollection services = new();
        IList<ServiceDescriptor> descriptors = services;
        descriptors.Add(new ServiceDescriptor(typeof(Needs<NeedsNothing>), typeof(Needs<NeedsNothing>), handler));
        descriptors.Add(new ServiceDescriptor(typeof(NeedsNothing), typeof(NeedsNothing), needed));

        string[] faults = new DependencyCheck(services, new KnowsAll()).FaultsOf(typeof(Needs<NeedsNothing>));

        faults.Should().HaveCount(isFault ? 1 : 0);
        if (isFault)
            faults[0].Should().Contain("NeedsNothing").And.Contain("scoped").And.Contain("singleton");
    }

    [Fact]
    public void SingletonHandler_IsFollowedThroughTransients()
    {
        ServiceCollection services = new();
        services.AddSingleton<Needs<Needs<NeedsNothing>>>().AddTransient<Needs<NeedsNothing>>().AddScoped<NeedsNothing>();

        new DependencyCheck(services, new KnowsAll()).FaultsOf(typeof(Needs<Needs<NeedsNothing>>)).Should().ContainSingle();
    }

    [Fact]
    public void ContainerThatCannotTell_IsNotAsked()
    {
        ServiceCollection services = new();
        services.AddScoped<Needs<IMissing>>();

        new DependencyCheck(services, known: null).FaultsOf(typeof(Needs<IMissing>)).Should().BeEmpty();
    }

    [Fact]
    public void DeepGraph_EachRegistrationIsLookedAtOnce()
    {
        ServiceCollection services = new();
        Type handler = AddLayers(services, 24, typeof(Needs<NeedsNothing>));
        services.AddScoped<NeedsNothing>();
        KnowsAll known = new();

        new DependencyCheck(services, known).FaultsOf(handler).Should().BeEmpty();

        known.Asked.Should().BeLessThanOrEqualTo((2 * 24) + 1, "there are so many parameters");
    }

    [Fact]
    public void FaultBelowASharedService_IsToldOnceForEachHandler()
    {
        ServiceCollection services = new();
        Type handler = AddLayers(services, 24, typeof(Indirect));
        services.AddScoped<Needs<Indirect>>();
        using ServiceProvider provider = services.BuildServiceProvider();
        DependencyCheck check = new(services, provider.GetRequiredService<IServiceProviderIsService>());

        string fault = check.FaultsOf(handler).Should().ContainSingle().Which;

        fault.Should().Contain($"{typeof(Indirect)} needs {typeof(IMissing)}");
        check.FaultsOf(typeof(Needs<Indirect>)).Should().Equal(fault);
        check.FaultsOf(handler).Should().Equal(fault);
    }

    [Fact]
    public void CircleBelowASharedService_IsToldForEachHandler()
    {
        ServiceCollection services = new();
        services.AddScoped<Circle>().AddScoped<OtherHalf>().AddScoped<Needs<Circle>>().AddScoped<Needs<OtherHalf>>();
        DependencyCheck check = new(services, new KnowsAll());

        check.FaultsOf(typeof(Needs<Circle>)).Should().ContainSingle().Which.Should().Contain("needs itself");
        check.FaultsOf(typeof(Needs<OtherHalf>)).Should().ContainSingle().Which.Should().Contain("needs itself");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void SharedService_KeptByASingletonOnly_IsAFaultThereOnly(bool singletonFirst)
    {
        ServiceCollection services = new();
        services.AddSingleton<Needs<Needs<NeedsNothing>>>().AddScoped<Both<Needs<NeedsNothing>>>().AddTransient<Needs<NeedsNothing>>();
        services.AddScoped<NeedsNothing>();
        DependencyCheck check = new(services, new KnowsAll());
        Type[] handlers = [typeof(Needs<Needs<NeedsNothing>>), typeof(Both<Needs<NeedsNothing>>)];
        if (!singletonFirst)
            Array.Reverse(handlers);

        Dictionary<Type, int> faults = handlers.ToDictionary(h => h, h => check.FaultsOf(h).Length);

        faults[typeof(Needs<Needs<NeedsNothing>>)].Should().Be(1);
        faults[typeof(Both<Needs<NeedsNothing>>)].Should().Be(0);
    }

    /// <summary>Registers classes of which each needs the one below twice.</summary>
    private static Type AddLayers(ServiceCollection services, int count, Type lowest)
    {
        services.AddScoped(lowest);
        for (int i = 0; i < count; i++)
            services.AddScoped(lowest = typeof(Both<>).MakeGenericType(lowest));
        return lowest;
    }

    private interface IMissing;

    private interface IGeneric<T>;

    private interface IGenericThatNeedsMissing<T>;

    private sealed class KnowsAll : IServiceProviderIsService
    {
        public int Asked { get; private set; }

        public bool IsService(Type serviceType)
        {
            Asked++;
            return true;
        }
    }

    private sealed class NeedsNothing;

#pragma warning disable CS9113, IDE0060 // What a constructor asks for is all that counts here.
    private sealed class Needs<T>(T needed);

    private sealed class Both<T>(T one, T other);

    private sealed class Generic<T>(IEnumerable<T> all) : IGeneric<T>;

    private sealed class GenericThatNeedsMissing<T>(T value, IMissing missing) : IGenericThatNeedsMissing<T>;

    private sealed class Indirect(IMissing missing);

    private sealed class FromFactory(IMissing missing);

    private sealed class Circle(OtherHalf other);

    private sealed class OtherHalf(Circle other);

    private sealed class NeedsOptionally(IMissing? missing = null);

    private sealed class NeedsKeyed([FromKeyedServices("key")] NeedsNothing keyed);

    private sealed class NeedsOneOfTwo
    {
        public NeedsOneOfTwo(IMissing missing)
        {
        }

        public NeedsOneOfTwo(IServiceProvider services)
        {
        }
    }
#pragma warning restore CS9113, IDE0060

    private sealed class NoPublicConstructor
    {
        private NoPublicConstructor()
        {
        }
    }
}
